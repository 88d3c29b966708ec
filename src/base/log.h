/*
 * The log hook's inner side.
 */
#ifndef UVA__BASE_LOG_H
#define UVA__BASE_LOG_H

#include "uva/alloc.h"

/** Write one record. Text beyond 1,000 bytes is cut. Any thread. */
void uva__log(uva_log_level_t level, const char *format, ...) UVA_PRINTF(2, 3);

#endif /* UVA__BASE_LOG_H */
