/*
 * A child process for tests of what ends a process: how it ended and what it
 * wrote to standard error.
 */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include <check.h>

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct child_s {
    int status;      /* As waitpid gives it. */
    char text[4096]; /* The beginning of its standard error. */
} child_t;

/** Run fn(arg) in a child; it exits with what fn returns. */
static inline void child_run(child_t *child, int (*fn)(void *arg), void *arg)
{
    size_t size = 0;
    ssize_t r = 1;
    int pipes[2];
    pid_t pid;

    ck_assert_int_eq(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) { /* No assertion here: Check's records are shared. */
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        _exit(fn(arg));
    }
    ck_assert_int_gt(pid, 0);
    close(pipes[1]);
    while (r > 0 && size < sizeof child->text - 1) {
        r = read(pipes[0], child->text + size, sizeof child->text - 1 - size);
        size += r > 0 ? (size_t)r : 0;
    }
    child->text[size] = '\0';
    close(pipes[0]);
    ck_assert_int_eq(waitpid(pid, &child->status, 0), pid);
}

/** Whether the child was ended by a signal, with a text on standard error; an
 * empty text stands for no report of ours. */
static inline int child_died(const child_t *child, int signal, const char *text)
{
    const char *found = strstr(child->text, text[0] != '\0' ? text : "uva:");

    return WIFSIGNALED(child->status) && WTERMSIG(child->status) == signal &&
           (found != NULL) == (text[0] != '\0');
}

/** Whether the child exited with a status. */
static inline int child_exited(const child_t *child, int status)
{
    return WIFEXITED(child->status) && WEXITSTATUS(child->status) == status;
}

#endif /* TEST_CHILD_H */
