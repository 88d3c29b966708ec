/*
 * Deadlines: a scope, and the same as a block.
 */
#include <stdio.h>

#include <uva.h>

static int talk(uint64_t duration_ns)
{
    int r = uva_sleep(duration_ns);

    return r < 0 ? r : 0; /* Cancelled by the deadline? It passes through. */
}

UVA_TASK(int, program)
{
    uva_timeout_t deadline; /* On the stack; nests. */
    int r;

    uva_timeout_enter(&deadline, UVA_MS(5));
    r = talk(UVA_SEC(60));
    r = uva_timeout_exit(&deadline, r);
    printf("a minute within 5 ms: %s\n", uva_err_name(r));

    UVA_TIMEOUT (r, UVA_SEC(60)) {
        r = talk(UVA_MS(5));
    }
    printf("5 ms within a minute: %d\n", r);

    /* Each code comes from the deadline that caused it. */
    UVA_TIMEOUT (r, UVA_SEC(60)) {
        UVA_TIMEOUT (r, UVA_MS(5)) {
            r = talk(UVA_SEC(60));
        }
        printf("the inner one: %s\n", uva_err_name(r));
        r = talk(UVA_MS(1));
    }
    printf("the outer one: %d\n", r);
    return r;
}

int main(void)
{
    return uva_main(program);
}
