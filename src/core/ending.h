/*
 * The end of a task.
 */
#ifndef UVA__CORE_ENDING_H
#define UVA__CORE_ENDING_H

#include "core/object.h"

/** End a task whose body returned r, or never ran. */
void uva__task_finish(uva_task_t *task, int r);

#endif /* UVA__CORE_ENDING_H */
