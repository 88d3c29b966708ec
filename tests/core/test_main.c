/*
 * uva_main: the exit status of a program and what it writes to standard error,
 * each time in a process of its own.
 */
#include "child.h"
#include "loops.h"

#include <signal.h>

UVA_TASK(int, gives_seven, int argc; char **argv;)
{
    *ret = 7;
    return args->argc == 2 && strcmp(args->argv[1], "word") == 0 ? 0 : -1;
}

UVA_STACKLESS(int, gives_eight, int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, uva_yield);
    *ret = 8;
    UVA_END
    return self->r;
}

UVA_TASK(void, fails_in_words, const char *path;)
{
    int r = uva_sleep(0);

    return r < 0 ? r : uva_fail(UV_ENOENT, "no page %s", args->path);
}

UVA_TASK(void, fails_with, int code;)
{
    return args->code;
}

UVA_TASK(void, fails_as_a_group)
{
    uva_taskgroup_t group;

    (void)uva_taskgroup_enter(&group);
    (void)uva_taskgroup_spawn(&group, fails_in_words, "/1");
    (void)uva_taskgroup_spawn(&group, fails_with, UV_EIO);
    return uva_taskgroup_exit(&group, uva_sleep(0));
}

/* Waits until a signal has come. */
static int interrupted(int number)
{
    raise(number);
    return uva_sleep(UVA_SEC(60));
}

UVA_TASK(void, passes_on, int number;)
{
    return interrupted(args->number);
}

UVA_TASK(void, shuts_down, int number;)
{
    return interrupted(args->number) == UV_ECANCELED ? 0 : UV_EIO;
}

UVA_TASK(void, fails_while_it_shuts_down, int number;)
{
    return interrupted(args->number) == UV_ECANCELED ? UV_EPIPE : UV_EIO;
}

UVA_TASK(void, starts_another)
{
    return uva_main(gives_eight) == 1 ? UV_EBUSY : 0;
}

static int main_succeeds(void *arg)
{
    char program[] = "program";
    char word[] = "word";
    char *argv[] = {program, word, NULL};

    (void)arg;
    return uva_main(gives_seven, .argc = 2, .argv = argv) +
           uva_main(gives_eight);
}

static int main_fails_in_words(void *arg)
{
    (void)arg;
    uva_set_log(NULL, NULL); /* The line comes all the same. */
    return uva_main(fails_in_words, .path = "/index");
}

static int main_fails_with(void *arg)
{
    return uva_main(fails_with, *(const int *)arg);
}

static int main_fails_as_a_group(void *arg)
{
    (void)arg;
    return uva_main(fails_as_a_group);
}

static int main_passes_on(void *arg)
{
    return uva_main(passes_on, *(const int *)arg);
}

static int main_shuts_down(void *arg)
{
    return uva_main(shuts_down, *(const int *)arg);
}

static int main_fails_late(void *arg)
{
    return uva_main(fails_while_it_shuts_down, *(const int *)arg);
}

static int main_in_main(void *arg)
{
    (void)arg;
    return uva_main(starts_another);
}

static int no_such_page = UV_ENOENT;
static int system_interrupt = UV_EINTR;
static int cancellation = UV_ECANCELED;
static int count = 7;
static int ctrl_c = SIGINT;
static int termination = SIGTERM;

static const struct {
    int (*run)(void *arg);
    void *arg;
    int status;
    const char *text; /* All of standard error. */
} outcomes[] = {
    {main_succeeds, NULL, 0, ""},
    {main_fails_with, &count, 0, ""}, /* No failure: it is positive. */
    {main_fails_in_words, NULL, 1,
     "uva: fails_in_words failed: no page /index (ENOENT)\n"},
    {main_fails_with, &no_such_page, 1,
     "uva: fails_with failed: no such file or directory (ENOENT)\n"},
    /* Not Ctrl-C: the task says so itself. */
    {main_fails_with, &system_interrupt, 1,
     "uva: fails_with failed: interrupted system call (EINTR)\n"},
    {main_fails_with, &cancellation, 1,
     "uva: fails_with failed: operation canceled (ECANCELED)\n"},
    {main_passes_on, &ctrl_c, 130, ""},
    {main_shuts_down, &ctrl_c, 0, ""},
    {main_fails_late, &ctrl_c, 1,
     "uva: fails_while_it_shuts_down failed: broken pipe (EPIPE)\n"},
    {main_passes_on, &termination, 143, ""},
    {main_shuts_down, &termination, 0, ""},
    {main_fails_late, &termination, 1,
     "uva: fails_while_it_shuts_down failed: broken pipe (EPIPE)\n"},
};

START_TEST(outcome)
{
    child_t child;

    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    child_run(&child, outcomes[_i].run, outcomes[_i].arg);
    ck_assert_str_eq(child.text, outcomes[_i].text);
    ck_assert_msg(child_exited(&child, outcomes[_i].status), "status %x",
                  child.status);
}
END_TEST

static size_t lines_of(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

START_TEST(members_of_a_group_are_told)
{
    child_t child;

    child_run(&child, main_fails_as_a_group, NULL);
    ck_assert(child_exited(&child, 1));
    ck_assert_uint_eq(lines_of(child.text), 1);
    ck_assert_ptr_nonnull(strstr(child.text, "uva: fails_as_a_group failed: "));
    ck_assert_ptr_nonnull(strstr(child.text, "member: no page /1 (ENOENT)"));
    ck_assert_ptr_nonnull(strstr(child.text, "(EIO)"));
}
END_TEST

START_TEST(loop_runs_already)
{
    child_t child;

    child_run(&child, main_in_main, NULL);
    ck_assert(child_exited(&child, 1));
    ck_assert_uint_eq(lines_of(child.text), 2);
    ck_assert_ptr_nonnull(strstr(child.text, "uva: gives_eight failed: "));
    ck_assert_ptr_nonnull(strstr(child.text, "uva: starts_another failed: "));
}
END_TEST

START_TEST(time_left)
{
    ck_assert_uint_eq(uva_time_left(UVA_SEC(1), UVA_SEC(3)), UVA_SEC(2));
    ck_assert_uint_eq(uva_time_left(UVA_SEC(3), UVA_SEC(3)), 0);
    ck_assert_uint_eq(uva_time_left(UVA_SEC(3), UVA_SEC(1)), 0);
    ck_assert_uint_eq(uva_time_left(0, UVA_FOREVER - 1), UVA_FOREVER - 1);
    ck_assert_uint_eq(uva_time_left(UVA_SEC(3), UVA_FOREVER), UVA_FOREVER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("main");
    TCase *status = UVA_TCASE(suite, "Status");
    TCase *time = UVA_TCASE(suite, "Time");

    tcase_add_loop_test(status, outcome, 0,
                        sizeof outcomes / sizeof outcomes[0]);
    UVA_ADD_TESTS(status, members_of_a_group_are_told, loop_runs_already);
    UVA_ADD_TESTS(time, time_left);
    return uva_test_main(suite);
}
