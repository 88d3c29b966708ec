/*
 * Queues of each order, select among them: each item is got once, or dropped
 * once, or was never put.
 */
#include "stress.h"

typedef struct queue_model_s {
    uva_queue_t queue;
    unsigned getting; /* Who waits in a get alone. */
    unsigned putting;
} queue_model_t;

static queue_model_t queues[QUEUES];

static token_t *item_new(void)
{
    token_t *item = token_new("an item");

    item->quiet = true; /* The destructor of a queue may not use it. */
    return item;
}

static int item_compare(const void *a, const void *b, UVA_UNUSED void *data)
{
    unsigned first = ((const token_t *)a)->id;
    unsigned second = ((const token_t *)b)->id;

    return first < second ? -1 : first > second;
}

/* An item was given out. */
static void item_got(token_t *item)
{
    STRESS_CHECK(item != NULL && item->state == TOKEN_QUEUED,
                 "a queue gives what it does not have");
    token_destroy(item);
}

/* What became of an item that was put: it is the queue's before the put
 * returns, as another may get it first. */
static void item_put(token_t *item, int r)
{
    if (r < 0) {
        STRESS_CHECK(item->state == TOKEN_QUEUED,
                     "an item was put and got, and the put gives %s",
                     uva_err_name(r));
        token_destroy(item);
    }
}

ACTOR(getter, int i; void *item; queue_model_t * model;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 4; self->i++) {
        self->model = &queues[stress_below(QUEUES)];
        self->item = NULL;
        self->model->getting++;
        AWAIT(self->r, uva_queue_get, &self->model->queue, &self->item);
        self->model->getting--;
        if (self->r >= 0) {
            item_got(self->item);
            STRESS_CHECK(uva_queue_task_done(&self->model->queue) == 0,
                         "an item that was got cannot be told done");
            stress_poke();
        } else if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

ACTOR(putter, int i; token_t * item; queue_model_t * model;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 4; self->i++) {
        self->model = &queues[stress_below(QUEUES)];
        self->item = item_new();
        self->item->state = TOKEN_QUEUED;
        self->model->putting++;
        AWAIT(self->r, uva_queue_put, &self->model->queue, self->item);
        self->model->putting--;
        item_put(self->item, self->r);
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r > 0 ? 0 : self->r;
}

ACTOR(selector, int i; void *got; token_t * item; uva_select_case_t cases[3];)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        self->got = NULL;
        self->item = item_new();
        self->item->state = TOKEN_QUEUED;
        self->cases[0] = (uva_select_case_t)UVA_SELECT_GET(
            &queues[stress_below(QUEUES)].queue, &self->got);
        self->cases[1] = (uva_select_case_t)UVA_SELECT_PUT(
            &queues[stress_below(QUEUES)].queue, self->item);
        self->cases[2] = (uva_select_case_t)UVA_SELECT_GET(
            &queues[stress_below(QUEUES)].queue, &self->got);
        AWAIT(self->r, uva_select, self->cases, 3);
        item_put(self->item, self->r == 1 ? 0 : UV_EAGAIN);
        if (self->r == 0 || self->r == 2) {
            item_got(self->got);
            (void)uva_queue_task_done(self->cases[self->r].queue);
        } else if (self->r != 1 && !actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r > 0 ? 0 : self->r;
}

/* Those who never wait. */
ACTOR(passer, int i; void *got; token_t * item; uva_queue_t * queue;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 4; self->i++) {
        self->queue = &queues[stress_below(QUEUES)].queue;
        if (stress_once_in(2)) {
            if (uva_queue_get_nowait(self->queue, &self->got) >= 0) {
                item_got(self->got);
                (void)uva_queue_task_done(self->queue);
            }
        } else {
            self->item = item_new();
            self->item->state = TOKEN_QUEUED;
            item_put(self->item, uva_queue_put_nowait(self->queue, self->item));
        }
        AWAIT_SLEEP(self->r);
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

ACTOR(joiner, int i;)
{
    UVA_BEGIN
    self->i = (int)stress_below(QUEUES);
    AWAIT(self->r, uva_queue_join, &queues[self->i].queue);
    UVA_END
    return self->r;
}

static void queues_begin(void)
{
    uva_queue_init(&queues[0].queue, 1 + stress_below(3));
    uva_queue_init(&queues[1].queue, 2);
    uva_lifo_queue_init(&queues[2].queue, 3);
    uva_priority_queue_init(&queues[3].queue, 2, item_compare, NULL);
    for (unsigned i = 0; i < QUEUES; i++) {
        uva_queue_set_destroy(&queues[i].queue, token_destroy);
        queues[i].getting = 0;
        queues[i].putting = 0;
    }
    if (stress_once_in(2)) {
        (void)uva_queue_set_overflow(&queues[1].queue,
                                     stress_once_in(2) ? UVA_QUEUE_DROP_OLDEST
                                                       : UVA_QUEUE_DROP_NEWEST);
    }
}

static void queues_check(void)
{
    for (unsigned i = 0; i < QUEUES; i++) {
        const queue_model_t *model = &queues[i];
        STRESS_CHECK(model->getting == 0 || uva_queue_empty(&model->queue) ||
                         world.failing,
                     "%u wait for one of %zu items of queue %u", model->getting,
                     uva_queue_qsize(&model->queue), i);
        STRESS_CHECK(model->putting == 0 || uva_queue_full(&model->queue) ||
                         world.failing,
                     "%u wait to put into queue %u, which has room",
                     model->putting, i);
    }
}

static void queues_serve(void)
{
    static bool immediate;

    immediate = stress_once_in(2);
    for (unsigned i = 0; i < QUEUES; i++) {
        void *item;
        uva_queue_shutdown(&queues[i].queue, immediate);
        while (uva_queue_get_nowait(&queues[i].queue, &item) >= 0) {
            item_got(item);
            (void)uva_queue_task_done(&queues[i].queue);
        }
    }
}

static void queues_closed(void)
{
    for (unsigned i = 0; i < QUEUES; i++) {
        uva_queue_destroy(&queues[i].queue);
    }
    for (const token_t *token = world.tokens; token != NULL;
         token = token->next) {
        STRESS_CHECK(token->state != TOKEN_QUEUED, "a queue lost an item");
    }
}

static const actor_kind_t queues_kinds[] = {
    ACTOR_KIND(getter),   ACTOR_KIND(getter), ACTOR_KIND(putter),
    ACTOR_KIND(putter),   ACTOR_KIND(passer), ACTOR_KIND(selector),
    ACTOR_KIND(selector), ACTOR_KIND(joiner), {NULL, 0, NULL, false},
};

const part_t queues_part = {
    .kinds = queues_kinds,
    .begin = queues_begin,
    .check = queues_check,
    .serve = queues_serve,
    .closed = queues_closed,
};
