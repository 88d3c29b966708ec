/* A task declared for other files, C and C++ alike. */
#ifndef TWICE_H
#define TWICE_H

#include <uva.h>

UVA_TASK_DECLARE(int, twice, int number;)

#endif /* TWICE_H */
