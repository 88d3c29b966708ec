/*
 * The end of the process after a failed assertion. Nothing else in the library
 * ends the process, but the report of a stack overflow (stack/overflow.c).
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/descriptors.h"

_Noreturn void uva__assert_failed(const char *condition, const char *here)
{
    if (uva__has_stderr()) {
        fprintf(stderr, "uva: %s: assertion failed: %s\n", here, condition);
    }
    abort();
}
