/*
 * A flow for tests of contexts and stacks: a body on a stack of its own that
 * its caller resumes and that suspends back to it.
 */
#ifndef TEST_FLOW_H
#define TEST_FLOW_H

#include <stdbool.h>

#include "base/util.h"
#include "stack/stacks.h"
#include "stack/switch.h"

typedef struct flow_s flow_t;
typedef void (*flow_body_cb)(flow_t *flow);

struct flow_s {
    uva__context_t context;
    uva__context_t caller;
    uva__stack_t *stack;
    flow_body_cb body;
    void *arg;
    int value;
    bool jumps; /* By which of the two forms it suspends. */
    bool done;
};

static _Thread_local flow_t *flow_starting;

static inline void flow_entry(void)
{
    flow_t *self;

    uva__context_started();
    self = flow_starting;
    self->body(self);
    self->done = true;
    uva__context_jump(&self->context, &self->caller);
}

/** Give a flow its first frame on flow->stack. */
static inline void flow_make(flow_t *flow, flow_body_cb body, void *arg)
{
    flow->body = body;
    flow->arg = arg;
    flow->done = false;
    uva__context_make(&flow->context, flow->stack->low,
                      uva__stack_top(flow->stack), flow_entry);
}

static inline void flow_resume(flow_t *flow)
{
    flow_starting = flow;
    uva__context_self(&flow->caller);
    if (flow->jumps) {
        uva__context_jump(&flow->caller, &flow->context);
    } else {
        uva__context_yield(&flow->caller, &flow->context);
    }
}

static UVA__NOINLINE UVA_UNUSED void flow_suspend(flow_t *flow)
{
    if (flow->jumps) {
        uva__context_jump(&flow->context, &flow->caller);
    } else {
        uva__context_yield(&flow->context, &flow->caller);
    }
}

/** Run a body to its end on a stack of the pool. */
static inline int flow_run(uva__stack_pool_t *pool,
                           size_t size_bytes,
                           flow_body_cb body,
                           void *arg)
{
    flow_t flow = {0};
    int r = uva__stack_get(pool, size_bytes, &flow.stack);

    if (r < 0) {
        return r;
    }
    flow_make(&flow, body, arg);
    while (!flow.done) {
        flow_resume(&flow);
    }
    uva__context_destroy(&flow.context);
    uva__stack_put(pool, flow.stack);
    return 0;
}

#endif /* TEST_FLOW_H */
