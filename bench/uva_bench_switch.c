/*
 * The bare switch, there and back, with nothing of the scheduler around it.
 */
#include "uva_bench.h"

#include "stack/stacks.h"

static uva__context_t here;
static uva__context_t there;

static void other_flow(void)
{
    uva__context_started();
    for (;;) {
        uva__context_jump(&there, &here);
    }
}

void bench_switch(int64_t count)
{
    uva__stack_pool_t pool;
    uva__stack_t *stack;
    bench_mark_t mark;

    bench_check(uva__stack_pool_init(&pool, NULL), "switch");
    bench_check(uva__stack_get(&pool, 0, &stack), "switch");
    uva__context_self(&here);
    uva__context_make(&there, stack->low, uva__stack_top(stack), other_flow);
    mark = bench_begin();
    for (int64_t i = 0; i < count; i += 2) {
        uva__context_jump(&here, &there);
    }
    bench_end(mark, "ctx1", bench_peer(), (double)count);
    uva__context_destroy(&there);
    uva__stack_put(&pool, stack);
    uva__stack_pool_destroy(&pool);
}
