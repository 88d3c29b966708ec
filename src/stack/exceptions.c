/*
 * Where the runtime of C++ keeps the exceptions of a thread.
 */
#include "stack/exceptions.h"

/* Where C++ is not there it stays as it is; so threads may share it. */
static uva__exceptions_t none;

#if defined(__ELF__) && defined(__GNUC__)

/* libstdc++ and libc++abi have it; the linker looks for it nowhere else. */
extern uva__exceptions_t *__cxa_get_globals(void) __attribute__((weak));

uva__exceptions_t *uva__exceptions_here(void)
{
    return __cxa_get_globals != NULL ? __cxa_get_globals() : &none;
}

#else

uva__exceptions_t *uva__exceptions_here(void)
{
    return &none;
}

#endif
