/*
 * Callbacks in contexts, context variables, coroutines driven by hand.
 */
#include "stress.h"

static uva_context_var_t variable = {"stress", NULL};

/* --- contexts --- */

static void in_context(void *data)
{
    UVA_IGNORE(uva_context_var_set(&variable, data, NULL));
    stress_poke();
}

ACTOR(contextual, int i; uva_context_t * context; uva_context_token_t token;
      int reset;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 2; self->i++) {
        /* Set first: what this task sees is what it set, whatever others do. */
        self->r = uva_context_var_set(&variable, self, &self->token);
        if (self->r < 0) {
            break;
        }
        self->context = uva_copy_context();
        AWAIT_SLEEP(self->r);
        STRESS_CHECK(uva_context_var_get(&variable) == self,
                     "a task sees the variable of another");
        if (self->context != NULL) {
            void *value = NULL;
            int entered = uva_context_run(self->context, in_context, NULL);
            STRESS_CHECK(entered == 0, "cannot enter a context: %s",
                         uva_err_name(entered));
            STRESS_CHECK(world.failing || (uva_context_get(self->context,
                                                           &variable, &value) &&
                                           value == NULL),
                         "what was set in a context is not there");
        }
        (void)uva_context_unref(self->context);
        self->reset = uva_context_var_reset(&variable, &self->token);
        STRESS_CHECK(self->reset == 0 ||
                         (world.failing && self->reset == UV_ENOMEM),
                     "a token is refused: %s", uva_err_name(self->reset));
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

/* --- coroutines --- */

static int generator(void *arg, void **ret_result)
{
    const token_t *token = arg;
    int r = 0;

    for (int i = 0; i < 3 && r >= 0; i++) {
        STRESS_CHECK(token->state == TOKEN_HELD,
                     "a coroutine runs after its argument was destroyed");
        if (stress_once_in(3)) {
            r = uva_sleep(stress_delay());
        }
        if (r >= 0) {
            r = uva_coroutine_yield(arg, NULL);
        }
    }
    *ret_result = NULL;
    return r;
}

static int delegator(void *arg, void **ret_result)
{
    uva_coroutine_options_t options = UVA_COROUTINE_OPTIONS_INIT;
    uva_coroutine_t *inner = NULL;
    int r;

    options.arg_destroy = token_destroy;
    r = uva_coroutine_new(generator, token_new("the argument of an inner one"),
                          &options, &inner);
    if (r >= 0) {
        r = uva_coroutine_delegate(inner, ret_result);
        (void)uva_coroutine_unref(inner);
    }
    (void)arg;
    return r;
}

ACTOR(driver, int i; uva_coroutine_t * coroutine;)
{
    uva_coroutine_options_t options = UVA_COROUTINE_OPTIONS_INIT;
    token_t *token;

    UVA_BEGIN
    options.arg_destroy = token_destroy;
    token = token_new("the argument of a coroutine");
    self->r = uva_coroutine_new(stress_once_in(3) ? delegator : generator,
                                token, &options, &self->coroutine);
    STRESS_CHECK(self->r >= 0 || token->state == TOKEN_DEAD,
                 "no coroutine, and its argument is left");
    self->actor->scopes++; /* What it awaits is not known here. */
    for (self->i = 0; self->r >= 0 && self->i < 6; self->i++) {
        actor_before(self->actor, "uva_coroutine_send");
        self->r =
            stress_once_in(5)
                ? uva_coroutine_throw(self->coroutine, UVA_EUSER - 4, NULL)
                : uva_coroutine_send(self->coroutine, NULL, NULL);
        actor_after(self->actor, AWAIT_SHARED, self->r);
        if (self->r != 1 || stress_once_in(6)) {
            break;
        }
        AWAIT_SLEEP(self->r);
    }
    self->actor->scopes--;
    if (self->coroutine != NULL && stress_once_in(2)) {
        UVA_IGNORE(uva_coroutine_close(self->coroutine));
    }
    self->coroutine = uva_coroutine_unref(self->coroutine);
    UVA_END
    return self->r > 0 ? 0 : self->r;
}

ACTOR(poker, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 6; self->i++) {
        stress_poke();
        AWAIT_SLEEP(self->r);
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

static const actor_kind_t calls_kinds[] = {
    ACTOR_KIND(contextual), ACTOR_KIND_STACKFUL(driver), ACTOR_KIND(poker),
    ACTOR_KIND(poker),      {NULL, 0, NULL, false},
};

const part_t calls_part = {
    .kinds = calls_kinds,
};
