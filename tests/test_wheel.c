/*
 * The timers' wheel against a list that is searched: any order of starting,
 * stopping and firing must hand out the same timers in the same order.
 */
#include <stdlib.h>
#include <string.h>

#include "uva_test.h"

#include "base/wheel.h"

#define TIMERS 400

typedef struct model_s {
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
    model_t *model = calloc(1, sizeof *model);
    uint64_t now_ns = 0;

    model->seed = 88172645463325252u + (uint64_t)_i;
    model->bits = _i % 2 == 0 ? 63 : 20; /* The near ones fill the heap. */
    for (int step = 0; step < 20000; step++) {
        size_t i = model_random(model) % TIMERS;
        uva__timer_t *first;

        if (!model->armed[i]) {
            ck_assert_int_eq(uva__wheel_insert(&model->wheel, &model->timers[i],
                                               model_when(model, now_ns)),
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
        ck_assert_ptr_eq(uva__wheel_first(&model->wheel), first);
        ck_assert_uint_eq(uva__wheel_next(&model->wheel),
                          first == NULL ? UINT64_MAX : first->when_ns);
        if (first != NULL) {
            now_ns = first->when_ns > UINT64_MAX / 2 ? 0 : first->when_ns;
            uva__wheel_remove(&model->wheel, first);
            model->armed[first - model->timers] = false;
        }
    }
    uva__wheel_destroy(&model->wheel);
    free(model);
}
END_TEST

START_TEST(no_memory)
{
    static uva__wheel_t wheel;
    uva__timer_t timer;

    uva_testing_fail_allocation(1, false);
    ck_assert_int_eq(uva__wheel_insert(&wheel, &timer, 5), UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    ck_assert_uint_eq(wheel.count, 0);
    ck_assert_uint_eq(uva__wheel_next(&wheel), UINT64_MAX);
    ck_assert_int_eq(uva__wheel_insert(&wheel, &timer, 5), 0);
    ck_assert_uint_eq(uva__wheel_next(&wheel), 5);
    uva__wheel_remove(&wheel, &timer);
    uva__wheel_destroy(&wheel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wheel");
    TCase *wheel = UVA_TCASE(suite, "Wheel");

    tcase_add_loop_test(wheel, same_as_a_list, 0, 20);
    tcase_add_test(wheel, no_memory);
    return uva_test_main(suite);
}
