/*
 * The timers' wheel against a list that is searched: any order of starting,
 * stopping and firing must hand out the same timers in the same order, with
 * memory for the wheel's slots and without.
 */
#include <stdlib.h>
#include <string.h>

#include "uva_test.h"

#include "base/wheel.h"

#define TIMERS 400

/* Whatever the build: with free lists, or each chunk an allocation. */
static void wheel_init(uva__wheel_t *wheel, uva__slab_t *slab, bool strict)
{
    uva__slab_init(slab);
    slab->classes = strict ? 0 : UVA__SLAB_CLASSES;
    uva__wheel_init(wheel, slab);
}

/* All timers are out: so are the chunks. */
static void wheel_end(uva__wheel_t *wheel)
{
    ck_assert_uint_eq(wheel->count, 0);
    ck_assert_uint_eq(uva__wheel_next(wheel), UINT64_MAX);
    ck_assert_uint_eq(wheel->slab->live, 0);
    uva__wheel_destroy(wheel);
    uva__slab_destroy(wheel->slab);
}

typedef struct model_s {
    uva__slab_t slab;
    uva__wheel_t wheel;
    uva__timer_t timers[TIMERS];
    bool armed[TIMERS];
    uint64_t seed;
    unsigned bits; /* No delay has more. */
} model_t;

static uint64_t model_random(model_t *model)
{
    model->seed ^= model->seed << 13;
    model->seed ^= model->seed >> 7;
    model->seed ^= model->seed << 17;
    return model->seed;
}

/* Near and far, often equal, up to the end of time. */
static uint64_t model_when(model_t *model, uint64_t now_ns)
{
    uint64_t bits = model_random(model) % model->bits + 1;
    uint64_t delay_ns = model_random(model) >> (64 - bits);
    uint64_t when_ns = now_ns + delay_ns;

    if (model_random(model) % 3 == 0) {
        when_ns &= ~(uint64_t)0xfffff; /* On a tick. */
    }
    return when_ns < now_ns || when_ns == UINT64_MAX ? UINT64_MAX - 1 : when_ns;
}

/* What the wheel is told of the time: nothing, all, or more than it was told by
 * the timers that it has handed out. */
static uint64_t model_seen(model_t *model, uint64_t now_ns)
{
    switch (model_random(model) % 3) {
    case 0:
        return 0;
    case 1:
        return now_ns;
    default:
        return now_ns + model_random(model) % model->bits * UVA_SEC(1);
    }
}

static uva__timer_t *model_first(model_t *model)
{
    uva__timer_t *first = NULL;

    for (size_t i = 0; i < TIMERS; i++) {
        uva__timer_t *timer = &model->timers[i];
        if (model->armed[i] &&
            (first == NULL || timer->when_ns < first->when_ns ||
             (timer->when_ns == first->when_ns &&
              timer->sequence < first->sequence))) {
            first = timer;
        }
    }
    return first;
}

START_TEST(same_as_a_list)
{
    static const unsigned bits[] = {63, 38, 20}; /* 20 fill the heap. */
    model_t *model = calloc(1, sizeof *model);
    uint64_t now_ns = 0;

    wheel_init(&model->wheel, &model->slab, _i % 2 == 0);
    model->seed = 88172645463325252u + (uint64_t)_i;
    model->bits = bits[_i % 3];
    for (int step = 0; step < 20000; step++) {
        size_t i = model_random(model) % TIMERS;
        uva__timer_t *first;

        if (!model->armed[i]) {
            uint64_t when_ns = model_when(model, now_ns);
            ck_assert_int_eq(uva__wheel_insert(&model->wheel, &model->timers[i],
                                               when_ns,
                                               model_seen(model, now_ns)),
                             0);
            model->armed[i] = true;
        } else if (model_random(model) % 2 == 0) {
            uva__wheel_remove(&model->wheel, &model->timers[i]);
            model->armed[i] = false;
        }
        first = model_first(model);
        if (model_random(model) % 4 != 0) {
            continue;
        }
        /* Without memory to move to a nearer slot they move to the heap. */
        uva_testing_fail_allocation(model_random(model) % 2, true);
        ck_assert_ptr_eq(uva__wheel_first(&model->wheel), first);
        uva_testing_fail_allocation(0, false);
        ck_assert_uint_eq(uva__wheel_next(&model->wheel),
                          first == NULL ? UINT64_MAX : first->when_ns);
        if (first != NULL) {
            now_ns = first->when_ns > UINT64_MAX / 2 ? 0 : first->when_ns;
            uva__wheel_remove(&model->wheel, first);
            model->armed[first - model->timers] = false;
        }
    }
    for (size_t i = 0; i < TIMERS; i++) {
        if (model->armed[i]) {
            uva__wheel_remove(&model->wheel, &model->timers[i]);
        }
    }
    wheel_end(&model->wheel);
    free(model);
}
END_TEST

/* Take as many timers out as are in: each not before the last. */
static void take_all(uva__wheel_t *wheel)
{
    uint64_t last_ns = 0;

    while (wheel->count > 0) {
        uva__timer_t *first = uva__wheel_first(wheel);
        ck_assert_uint_ge(first->when_ns, last_ns);
        last_ns = first->when_ns;
        uva__wheel_remove(wheel, first);
    }
}

/* Delays around each power of two, from several moments on: where one level
 * ends and the next begins. */
START_TEST(ends_of_levels)
{
    static const uint64_t moments[] = {0, (uint64_t)511 << 21,
                                       1234567890123456789u,
                                       UINT64_MAX - ((uint64_t)1 << 40)};
    uva__timer_t timers[64 * 3 + 1];
    uva__slab_t slab;
    uva__wheel_t wheel;
    size_t count = 0;

    wheel_init(&wheel, &slab, false);
    /* Alone, it takes the wheel's tick along. */
    ck_assert_int_eq(uva__wheel_insert(&wheel, timers, moments[_i], 0), 0);
    ck_assert_uint_eq(uva__wheel_next(&wheel), moments[_i]);
    uva__wheel_remove(&wheel, timers);
    for (unsigned bit = 63; bit > 0; bit--) {
        for (uint64_t i = 0; i < 3; i++) {
            uint64_t when_ns = moments[_i] + ((uint64_t)1 << bit) + i - 1;
            if (when_ns >= moments[_i] && when_ns != UINT64_MAX) {
                ck_assert_int_eq(
                    uva__wheel_insert(&wheel, &timers[count], when_ns, 0), 0);
                count++;
            }
        }
    }
    ck_assert_uint_eq(wheel.count, count);
    take_all(&wheel);
    wheel_end(&wheel);
}
END_TEST

START_TEST(no_memory)
{
    uva__slab_t slab;
    uva__wheel_t wheel;
    uva__timer_t timer;
    uva__timer_t far;

    wheel_init(&wheel, &slab, true);
    uva_testing_fail_allocation(1, false);
    ck_assert_int_eq(uva__wheel_insert(&wheel, &timer, 5, 0), UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    ck_assert_uint_eq(wheel.count, 0);
    ck_assert_uint_eq(uva__wheel_next(&wheel), UINT64_MAX);
    ck_assert_int_eq(uva__wheel_insert(&wheel, &timer, 5, 0), 0);
    ck_assert_uint_eq(uva__wheel_next(&wheel), 5);
    uva_testing_fail_allocation(1, false);
    ck_assert_int_eq(uva__wheel_insert(&wheel, &far, UVA_SEC(1), 0), UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    ck_assert_uint_eq(wheel.count, 1);
    ck_assert_uint_eq(wheel.sequence, timer.sequence);
    uva__wheel_remove(&wheel, &timer);
    wheel_end(&wheel);
}
END_TEST

/* What moves to a nearer slot takes memory; without, it is in the heap. */
START_TEST(no_memory_to_move)
{
    static uva__timer_t timers[TIMERS];
    uva__slab_t slab;
    uva__wheel_t wheel;

    wheel_init(&wheel, &slab, true);
    for (size_t i = 0; i < TIMERS; i++) {
        uint64_t when_ns = UVA_SEC(5) + i * 7919 % TIMERS * UVA_MS(3);
        ck_assert_int_eq(uva__wheel_insert(&wheel, &timers[i], when_ns, 0), 0);
    }
    uva_testing_fail_allocation(1, true);
    ck_assert_uint_eq(uva__wheel_next(&wheel), UVA_SEC(5));
    ck_assert_uint_gt(wheel.heap.count, 100);
    uva__wheel_remove(&wheel, &timers[TIMERS - 1]);
    take_all(&wheel);
    uva_testing_fail_allocation(0, false);
    wheel_end(&wheel);
}
END_TEST

static void start_tick(uva__wheel_t *wheel, uva__timer_t *timer, uint64_t tick)
{
    ck_assert_int_eq(uva__wheel_insert(wheel, timer, tick << 21, 0), 0);
}

static void take(uva__wheel_t *wheel, uva__timer_t *timer)
{
    ck_assert_ptr_eq(uva__wheel_first(wheel), timer);
    uva__wheel_remove(wheel, timer);
}

/* Then the heap holds a timer that is later than slots of several levels: the
 * first of these comes first, whatever its level. */
START_TEST(heap_ahead_of_the_slots)
{
    const uint64_t far = 1 << 15; /* Where a slot of the third level begins. */
    uva__timer_t full[UVA__WHEEL_ENTRIES]; /* Room for no other. */
    uva__timer_t in_heap;
    uva__timer_t timers[5];
    uva__slab_t slab;
    uva__wheel_t wheel;

    wheel_init(&wheel, &slab, true);
    start_tick(&wheel, &timers[0], 1500);
    start_tick(&wheel, &timers[1], far + 10);
    start_tick(&wheel, &in_heap, far + 700);
    ck_assert_ptr_eq(uva__wheel_first(&wheel), &timers[0]);
    for (size_t i = 0; i < UVA__WHEEL_ENTRIES; i++) {
        start_tick(&wheel, &full[i], far + 600);
    }
    take(&wheel, &timers[0]);
    uva_testing_fail_allocation(1, true);
    ck_assert_ptr_eq(uva__wheel_first(&wheel), &timers[1]);
    uva_testing_fail_allocation(0, false);
    ck_assert_uint_eq(wheel.heap.count, 2);

    start_tick(&wheel, &timers[2], far + 400);
    take(&wheel, &timers[1]);
    ck_assert_ptr_eq(uva__wheel_first(&wheel), &timers[2]);
    start_tick(&wheel, &timers[3], far + 500);
    start_tick(&wheel, &timers[4], far + 800);
    take(&wheel, &timers[2]);
    take(&wheel, &timers[3]);
    for (size_t i = 0; i < UVA__WHEEL_ENTRIES; i++) {
        take(&wheel, &full[i]);
    }
    take(&wheel, &in_heap);
    take(&wheel, &timers[4]);
    wheel_end(&wheel);
}
END_TEST

/* A timer of less than a second is in the heap with its first move, however
 * long the loop has run. */
START_TEST(tick_follows_the_clock)
{
    const uint64_t now_ns = UVA_SEC(1000000);
    uva__timer_t timers[3];
    uva__slab_t slab;
    uva__wheel_t wheel;

    wheel_init(&wheel, &slab, false);
    ck_assert_int_eq(
        uva__wheel_insert(&wheel, &timers[0], now_ns + UVA_SEC(1), now_ns), 0);
    ck_assert_uint_eq(wheel.tick, now_ns >> 21);
    /* Not beyond what is in a slot, however late it is. */
    ck_assert_int_eq(uva__wheel_insert(&wheel, &timers[1], now_ns + UVA_SEC(3),
                                       now_ns + UVA_SEC(2)),
                     0);
    ck_assert_uint_eq(wheel.tick, now_ns >> 21);
    ck_assert_int_eq(uva__wheel_insert(&wheel, &timers[2], now_ns + UVA_MS(900),
                                       now_ns + UVA_MS(500)),
                     0);
    ck_assert_uint_eq(wheel.tick, (now_ns + UVA_MS(500)) >> 21);
    take(&wheel, &timers[2]);
    take(&wheel, &timers[0]);
    take(&wheel, &timers[1]);
    wheel_end(&wheel);
}
END_TEST

/* Starting and stopping takes no more memory than the most that ran at once,
 * and leaves nothing of it in use. */
START_TEST(stopped_entries_are_used_again)
{
    static uva__timer_t timers[TIMERS];
    uva__slab_t slab;
    uva__wheel_t wheel;
    size_t bytes = 0;

    wheel_init(&wheel, &slab, false);
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < TIMERS; i++) {
            ck_assert_int_eq(uva__wheel_insert(&wheel, &timers[i],
                                               UVA_SEC(30) + i % 2 * UVA_SEC(2),
                                               0),
                             0);
        }
        for (size_t i = 0; i < TIMERS; i++) {
            uva__wheel_remove(&wheel,
                              &timers[(i * 7 + (size_t)round) % TIMERS]);
        }
        ck_assert_uint_eq(slab.live, 0);
        if (round == 0) {
            bytes = uva_allocated_bytes();
        }
        ck_assert_uint_eq(uva_allocated_bytes(), bytes);
    }
    wheel_end(&wheel);
}
END_TEST

/* A slot of several chunks that are stopped one after another. */
START_TEST(slot_is_stopped_in_part)
{
    static uva__timer_t timers[TIMERS];
    uva__slab_t slab;
    uva__wheel_t wheel;

    wheel_init(&wheel, &slab, _i == 1);
    for (size_t left = 0; left < TIMERS; left += 13) {
        for (size_t i = 0; i < TIMERS; i++) {
            ck_assert_int_eq(uva__wheel_insert(&wheel, &timers[i],
                                               (wheel.tick << 21) + UVA_SEC(9),
                                               0),
                             0);
        }
        for (size_t i = left; i < TIMERS; i++) {
            uva__wheel_remove(&wheel, &timers[i]);
        }
        ck_assert_uint_eq(wheel.count, left);
        take_all(&wheel);
    }
    wheel_end(&wheel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wheel");
    TCase *wheel = UVA_TCASE(suite, "Wheel");
    TCase *memory = UVA_TCASE(suite, "Memory");

    tcase_add_loop_test(wheel, same_as_a_list, 0, 30);
    tcase_add_loop_test(wheel, ends_of_levels, 0, 4);
    tcase_add_test(wheel, tick_follows_the_clock);
    tcase_add_loop_test(wheel, slot_is_stopped_in_part, 0, 2);
    tcase_add_test(memory, no_memory);
    tcase_add_test(memory, no_memory_to_move);
    tcase_add_test(memory, heap_ahead_of_the_slots);
    tcase_add_test(memory, stopped_entries_are_used_again);
    return uva_test_main(suite);
}
