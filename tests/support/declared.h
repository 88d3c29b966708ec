/*
 * Tasks that are declared here and defined in declared.c: for callers in other
 * files, in C and in C++.
 */
#ifndef TEST_DECLARED_H
#define TEST_DECLARED_H

#include "uva.h"

/** A result with more to it than a number. */
typedef struct declared_sum_s {
    int sum;
    const char *by;
} declared_sum_t;

/* The arguments are added; one that is negative is the code to fail with. */
UVA_TASK_DECLARE(declared_sum_t, declared_stackful, int a; int b;)
UVA_TASK_DECLARE(int, declared_nothing)
UVA_STACKLESS_DECLARE(declared_sum_t, declared_stackless, int a; int b;)
UVA_STACKLESS_DECLARE(int, declared_stackless_nothing)

#endif /* TEST_DECLARED_H */
