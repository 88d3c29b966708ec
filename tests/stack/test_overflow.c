/*
 * Stack overflows: each tier of guards tells one and names the task; faults
 * that are none go where they went before.
 */
#include <check.h>

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "flow.h"
#include "stack/overflow.h"
#include "stack/stacks.h"

enum {
    CHILD_HANDLED = 42,
    CHILD_NO_SIGNAL = 43,
    CHILD_NOT_POSSIBLE = 44
};

static uva__stack_pool_t pool;

static const char *describe(uva__stack_t *stack, const char **ret_function)
{
    *ret_function = "dig";
    return stack->owner;
}

/* --- recursion into each tier --- */

static UVA__NOINLINE int dig(volatile int *depth)
{
    volatile char frame[512];
    size_t i = (uintptr_t)depth % sizeof frame;

    /* An index that is not constant keeps the whole array. */
    frame[i] = (char)*depth;
    ++*depth;
    if (*depth > 0) {
        dig(depth);
    }
    return frame[i];
}

static void body_dig(flow_t *flow)
{
    volatile int depth = 0;

    dig(&depth);
    flow->value = depth;
}

/* Goes into the gap, but not through it, and suspends. */
static UVA__NOINLINE int dig_to(flow_t *flow, const char *address)
{
    volatile char frame[512];
    size_t i = (uintptr_t)address % sizeof frame;

    frame[i] = 1;
    if ((uintptr_t)__builtin_frame_address(0) < (uintptr_t)address) {
        uva__stack_check(&pool, flow->stack);
        return 1;
    }
    return dig_to(flow, address) + frame[i];
}

static void body_dig_check(flow_t *flow)
{
    dig_to(flow, flow->stack->low - 1024);
}

/* A frame larger than any guard, of which the low end alone is written: what
 * is there belongs to the next stack. */
static UVA__NOINLINE int reach_over(const char *address)
{
    volatile char frame[96 * 1024];
    size_t i = (uintptr_t)address % 64;

    frame[i] = 1;
    return frame[i];
}

static UVA__NOINLINE int dig_and_reach(const char *address)
{
    volatile char frame[512];
    size_t i = (uintptr_t)address % sizeof frame;

    frame[i] = 1;
    if ((uintptr_t)__builtin_frame_address(0) < (uintptr_t)address) {
        return reach_over(address) + frame[i];
    }
    return dig_and_reach(address) + frame[i];
}

static void body_reach(flow_t *flow)
{
    dig_and_reach(flow->stack->low + 4096);
}

static void body_dig_return(flow_t *flow)
{
    volatile uintptr_t *gap = (volatile uintptr_t *)(void *)flow->stack->low;

    gap[-3] = 0x55; /* What a deep call left there. */
    uva__stack_check(&pool, flow->stack);
}

typedef struct dig_s {
    uva__stack_guard_t guard;
    flow_body_cb body;
    const char *name;
    uva__overflow_describe_cb describe;
} dig_t;

static int child_dig(void *arg)
{
    const dig_t *test = arg;
    const uva__stack_options_t options = {.guard = test->guard};
    uva__stack_t *below; /* What lies there can be written. */
    flow_t flow = {0};
    char *name = test->name != NULL ? strdup(test->name) : NULL;

    if (uva__stack_pool_init(&pool, &options) != 0 ||
        uva__overflow_install(test->describe) != 0 ||
        uva__overflow_thread_init() != 0 ||
        uva__stack_get(&pool, 0, &below) != 0 ||
        uva__stack_get(&pool, 0, &flow.stack) != 0 ||
        flow.stack->guard != test->guard) {
        return CHILD_NOT_POSSIBLE;
    }
    flow.stack->owner = name;
    flow_make(&flow, test->body, NULL);
    flow_resume(&flow);
    return CHILD_NO_SIGNAL;
}

static void check_dig(uva__stack_guard_t guard, flow_body_cb body)
{
    dig_t test = {guard, body, "crawler", describe};
    child_t child;
    char text[64];

    snprintf(text, sizeof text, " KiB, guard %s\n",
             uva__stack_guard_name(guard));
    child_run(&child, child_dig, &test);
    ck_assert(child_died(&child, SIGSEGV,
                         "uva: stack overflow in task 'crawler' "
                         "(function dig), stack of "));
    ck_assert_ptr_nonnull(strstr(child.text, text));
}

static bool markers_work(void)
{
    const char *forced = getenv("UVA_STACK_GUARD");

    if (uva__stack_guard_probe() == UVA__STACK_GUARD_MARKER) {
        return true;
    }
    printf("skipped: no guard markers%s\n",
           forced != NULL ? " (UVA_STACK_GUARD)" : " on this machine");
    return false;
}

START_TEST(marker_names_the_task)
{
    if (markers_work()) {
        check_dig(UVA__STACK_GUARD_MARKER, body_dig);
    }
}
END_TEST

START_TEST(mprotect_names_the_task)
{
    check_dig(UVA__STACK_GUARD_MPROTECT, body_dig);
}
END_TEST

START_TEST(large_frame_does_not_reach_over)
{
#if defined(UVA_STACK_CLASH)
    check_dig(UVA__STACK_GUARD_MPROTECT, body_reach);
    if (markers_work()) {
        check_dig(UVA__STACK_GUARD_MARKER, body_reach);
    }
#else
    (void)body_reach;
    puts("skipped: the compiler has no -fstack-clash-protection");
#endif
}
END_TEST

START_TEST(canary_sees_who_stands_in_the_gap)
{
    check_dig(UVA__STACK_GUARD_CANARY, body_dig_check);
}
END_TEST

START_TEST(canary_sees_what_was_left_in_the_gap)
{
    check_dig(UVA__STACK_GUARD_CANARY, body_dig_return);
}
END_TEST

static int child_put(void *arg)
{
    const uva__stack_options_t options = {.guard = UVA__STACK_GUARD_CANARY};
    uva__stack_t *stack;

    (void)arg;
    if (uva__stack_pool_init(&pool, &options) != 0 ||
        uva__overflow_install(describe) != 0 ||
        uva__stack_get(&pool, 0, &stack) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    stack->owner = strdup("ended");
    stack->low[-1] = 1;
    uva__stack_put(&pool, stack);
    return CHILD_NO_SIGNAL;
}

START_TEST(canary_is_looked_at_on_put)
{
    child_t child;

    child_run(&child, child_put, NULL);
    ck_assert(child_died(&child, SIGSEGV,
                         "stack overflow in task 'ended' (function dig)"));
}
END_TEST

START_TEST(unknown_task)
{
    dig_t test = {UVA__STACK_GUARD_MPROTECT, body_dig, NULL, NULL};
    child_t child;

    child_run(&child, child_dig, &test);
    ck_assert(child_died(&child, SIGSEGV,
                         "uva: stack overflow in an unknown task, stack of "));
}
END_TEST

START_TEST(name_stays_on_its_line)
{
    dig_t test = {UVA__STACK_GUARD_MPROTECT, body_dig, "two\nlines\t",
                  describe};
    child_t child;

    child_run(&child, child_dig, &test);
    ck_assert(child_died(&child, SIGSEGV, "in task 'two?lines?' (function"));
}
END_TEST

/* The task's name says what the report should. */
static int child_size(void *arg)
{
    static char text[64];
    flow_t flow = {0};

    (void)arg;
    if (uva__stack_pool_init(&pool, NULL) != 0 ||
        uva__overflow_install(describe) != 0 ||
        uva__overflow_thread_init() != 0 ||
        uva__stack_get(&pool, (size_t)1 << 20, &flow.stack) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    snprintf(text, sizeof text, "stack of %zu KiB",
             flow.stack->home->slot_bytes / 1024);
    flow.stack->owner = text;
    flow_make(&flow, body_dig, NULL);
    flow_resume(&flow);
    return CHILD_NO_SIGNAL;
}

START_TEST(size_is_told)
{
    child_t child;
    const char *size;
    const char *again;

    child_run(&child, child_size, NULL);
    ck_assert(child_died(&child, SIGSEGV, "uva: stack overflow in task '"));
    size = strstr(child.text, "stack of ");
    ck_assert_ptr_nonnull(size);
    again = strstr(size + 1, "stack of ");
    ck_assert_ptr_nonnull(again);
    ck_assert_int_eq(strncmp(size, again, strlen("stack of 1024")), 0);
}
END_TEST

static void *thread_dig(void *arg)
{
    return (void *)(intptr_t)child_dig(arg);
}

static int child_thread(void *arg)
{
    pthread_t thread;
    void *r = NULL;

    if (pthread_create(&thread, NULL, thread_dig, arg) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    pthread_join(thread, &r);
    return (int)(intptr_t)r;
}

START_TEST(another_thread)
{
    dig_t test = {UVA__STACK_GUARD_MPROTECT, body_dig, "second", describe};
    child_t child;

    child_run(&child, child_thread, &test);
    ck_assert(child_died(&child, SIGSEGV, "in task 'second' (function dig)"));
}
END_TEST

/* --- faults that are no overflow --- */

static void *volatile bad_address;

static void handler_simple(int signal_number)
{
    (void)signal_number;
    _exit(CHILD_HANDLED);
}

static void handler_info(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    _exit(info->si_addr == bad_address && context != NULL ? CHILD_HANDLED : 1);
}

static int fault_set(bool with_info)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    if (with_info) {
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = handler_info;
    } else {
        action.sa_handler = handler_simple;
    }
    return sigaction(SIGSEGV, &action, NULL);
}

/* A page that faults, no part of any slab. Readable, or Valgrind would count an
 * error before the signal comes. */
static int fault_page(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    bad_address = page;
    return page != MAP_FAILED ? 0 : -1;
}

static int fault_now(void)
{
    *(volatile char *)bad_address = 1;
    return CHILD_NO_SIGNAL;
}

static int child_chain(void *arg)
{
    bool with_info = arg != NULL;

    if (fault_set(with_info) != 0 || fault_page() != 0 ||
        uva__overflow_install(describe) != 0 ||
        uva__overflow_thread_init() != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    return fault_now();
}

START_TEST(earlier_handler_gets_other_faults)
{
    child_t child;
    int yes = 1;

    child_run(&child, child_chain, NULL);
    ck_assert(child_exited(&child, CHILD_HANDLED));
    child_run(&child, child_chain, &yes);
    ck_assert(child_exited(&child, CHILD_HANDLED));
    ck_assert_str_eq(child.text, "");
}
END_TEST

static int child_default(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    if (fault_page() != 0 || uva__overflow_install(describe) != 0 ||
        uva__overflow_thread_init() != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    return fault_now();
}

START_TEST(default_action_takes_other_faults)
{
    child_t child;

    child_run(&child, child_default, NULL);
    ck_assert(child_died(&child, SIGSEGV, ""));
}
END_TEST

static int child_sent(void *arg)
{
    bool ignored = arg != NULL;

    signal(SIGSEGV, ignored ? SIG_IGN : SIG_DFL);
    if (uva__overflow_install(describe) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    raise(SIGSEGV);
    return ignored ? CHILD_HANDLED : CHILD_NO_SIGNAL;
}

START_TEST(signal_that_was_sent)
{
    child_t child;
    int yes = 1;

    child_run(&child, child_sent, NULL);
    ck_assert(child_died(&child, SIGSEGV, ""));
    child_run(&child, child_sent, &yes);
    ck_assert(child_exited(&child, CHILD_HANDLED));
}
END_TEST

/* A stray pointer into a guard, from a stack that stands elsewhere. */
static int child_stray(void *arg)
{
    const uva__stack_options_t options = {.guard = UVA__STACK_GUARD_MPROTECT};
    uva__stack_t *stack;

    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    if (uva__stack_pool_init(&pool, &options) != 0 ||
        uva__overflow_install(describe) != 0 ||
        uva__stack_get(&pool, 0, &stack) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    stack->owner = strdup("innocent");
    bad_address = stack->low - 64;
    return fault_now();
}

START_TEST(stray_pointer_is_no_overflow)
{
    child_t child;

    child_run(&child, child_stray, NULL);
    ck_assert(child_died(&child, SIGSEGV, ""));
}
END_TEST

/* --- installing --- */

static bool handler_is(int signal_number, void (*handler)(int))
{
    struct sigaction action;

    return sigaction(signal_number, NULL, &action) == 0 &&
           (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == handler;
}

static int child_install(void *arg)
{
    (void)arg;
    signal(SIGSEGV, handler_simple);
    signal(SIGBUS, SIG_DFL);
    uva__overflow_install(describe);
    uva__overflow_install(describe);
    if (handler_is(SIGSEGV, handler_simple)) {
        return 1;
    }
    uva__overflow_uninstall();
    if (handler_is(SIGSEGV, handler_simple)) {
        return 2; /* One install is left. */
    }
    uva__overflow_uninstall();
    if (!handler_is(SIGSEGV, handler_simple) || !handler_is(SIGBUS, SIG_DFL)) {
        return 3;
    }
    return CHILD_HANDLED;
}

START_TEST(installs_are_counted)
{
    child_t child;

    child_run(&child, child_install, NULL);
    ck_assert(child_exited(&child, CHILD_HANDLED));
}
END_TEST

static struct sigaction later_earlier;

static void handler_later(int signal_number, siginfo_t *info, void *context)
{
    later_earlier.sa_sigaction(signal_number, info, context);
}

/* Somebody sets a handler after ours and chains to ours. */
static int child_later(void *arg)
{
    struct sigaction action;

    (void)arg;
    signal(SIGSEGV, handler_simple);
    uva__overflow_install(describe);
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = handler_later;
    sigaction(SIGSEGV, &action, &later_earlier);

    uva__overflow_uninstall();
    uva__overflow_install(describe); /* Must not make a circle. */
    if (fault_page() != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    return fault_now();
}

START_TEST(later_handler_stays)
{
    child_t child;

    child_run(&child, child_later, NULL);
    ck_assert(child_exited(&child, CHILD_HANDLED));
}
END_TEST

static int child_alternate(void *arg)
{
    static char own[64 * 1024];
    stack_t mine = {.ss_sp = own, .ss_size = sizeof own};
    stack_t none = {.ss_flags = SS_DISABLE};
    stack_t seen;

    (void)arg;
    sigaltstack(&none, NULL);
    if (uva__overflow_thread_init() != 0 || uva__overflow_thread_init() != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    sigaltstack(NULL, &seen);
    if ((seen.ss_flags & SS_DISABLE) != 0 || seen.ss_size < 64 * 1024) {
        return 1;
    }
    uva__overflow_thread_exit();
    sigaltstack(NULL, &seen);
    if ((seen.ss_flags & SS_DISABLE) != 0) {
        return 2;
    }
    uva__overflow_thread_exit();
    sigaltstack(NULL, &seen);
    if ((seen.ss_flags & SS_DISABLE) == 0) {
        return 3;
    }

    /* A thread that has one keeps it. */
    sigaltstack(&mine, NULL);
    uva__overflow_thread_init();
    sigaltstack(NULL, &seen);
    if (seen.ss_sp != own) {
        return 4;
    }
    uva__overflow_thread_exit();
    sigaltstack(NULL, &seen);
    return seen.ss_sp == own ? CHILD_HANDLED : 5;
}

START_TEST(alternate_stack)
{
    child_t child;

    child_run(&child, child_alternate, NULL);
    ck_assert(child_exited(&child, CHILD_HANDLED));
}
END_TEST

/* Numbers are used again; many slabs find room. */
START_TEST(list_of_slabs_grows)
{
    static char places[1000];
    static int numbers[1000];

    for (int i = 0; i < 1000; i++) {
        numbers[i] = uva__overflow_watch(&places[i], 1, 1);
        ck_assert_int_ge(numbers[i], 0);
        ck_assert(i == 0 || numbers[i] != numbers[i - 1]);
    }
    for (int i = 0; i < 1000; i++) {
        uva__overflow_forget(numbers[i]);
    }
    numbers[1] = uva__overflow_watch(&places[0], 1, 1);
    ck_assert_int_eq(numbers[1], numbers[0]);
    uva__overflow_forget(numbers[1]);
}
END_TEST

static Suite *overflow_suite(void)
{
    Suite *suite = suite_create("overflow");
    TCase *report = tcase_create("Report");
    TCase *chain = tcase_create("Chain");
    TCase *install = tcase_create("Install");

    suite_add_tcase(suite, report);
    tcase_add_test(report, marker_names_the_task);
    tcase_add_test(report, mprotect_names_the_task);
    tcase_add_test(report, large_frame_does_not_reach_over);
    tcase_add_test(report, canary_sees_who_stands_in_the_gap);
    tcase_add_test(report, canary_sees_what_was_left_in_the_gap);
    tcase_add_test(report, canary_is_looked_at_on_put);
    tcase_add_test(report, unknown_task);
    tcase_add_test(report, name_stays_on_its_line);
    tcase_add_test(report, size_is_told);
    tcase_add_test(report, another_thread);

    suite_add_tcase(suite, chain);
    tcase_add_test(chain, earlier_handler_gets_other_faults);
    tcase_add_test(chain, default_action_takes_other_faults);
    tcase_add_test(chain, signal_that_was_sent);
    tcase_add_test(chain, stray_pointer_is_no_overflow);

    suite_add_tcase(suite, install);
    tcase_add_test(install, installs_are_counted);
    tcase_add_test(install, later_handler_stays);
    tcase_add_test(install, alternate_stack);
    tcase_add_test(install, list_of_slabs_grows);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(overflow_suite());
    int failed_count;

    srunner_run_all(runner, CK_ENV);
    failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
