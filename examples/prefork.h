/*
 * The master of a pre-fork server: it starts workers, replaces those that
 * crash, and tells them when to end. It has neither a loop nor threads, so it
 * may fork at any time; each worker makes a loop of its own. The master opens
 * the sockets and keeps them open: what waits in them is served by the others
 * when a worker goes. Signals of the master:
 *
 * SIGTERM, SIGINT  End all workers, then return. The second one kills them.
 * SIGHUP           Start new workers; when all of them serve, end the old ones.
 */
#ifndef EXAMPLES_PREFORK_H
#define EXAMPLES_PREFORK_H

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#    include <sys/prctl.h>
#endif

#include <uva.h>

#include "systemd.h"

#define PREFORK_MOST    1024     /* Processes, with those that are ending. */
#define PREFORK_SERVING SIGRTMIN /* A worker serves. It is queued. */

typedef struct prefork_worker_s {
    pid_t pid;           /* 0: this place is free. */
    unsigned generation; /* How many reloads there were before. */
    bool serving;
    uint64_t start_ns;
    uint64_t kill_ns; /* It must have ended by then; 0: it may go on. */
} prefork_worker_t;

static struct prefork_s {
    prefork_worker_t workers[PREFORK_MOST];
    int (*work)(void);
    size_t worker_count;  /* Of a generation. */
    size_t process_count; /* With those that are ending. */
    uint64_t grace_ns;
    const int *sockets;
    size_t socket_count;
    pid_t master;
    sigset_t ours, before; /* Signals of the master; what was blocked before. */
    unsigned generation;
    bool reload, settled, stopping; /* Settled: the generation serves. */
    uint64_t delay_ns, restart_ns;  /* After workers that crash at once. */
} prefork;

/* In a worker: it accepts connections from now on. */
static inline void prefork_serving(void)
{
    kill(prefork.master, PREFORK_SERVING);
}

/* The life of a worker. What goes to the whole group, as Ctrl-C does, is for
 * the master alone; SIGTERM must not be ignored, or uva_main leaves it so. */
static inline int prefork_child(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
#if defined(__linux__)
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* A worker ends when its master dies, */
#endif
    if (getppid() != prefork.master) { /* or has died meanwhile. */
        return 1;
    }
    sigprocmask(SIG_SETMASK, &prefork.before, NULL);
    return prefork.work();
}

/* The place of a process; 0 is a free one. @return It, or NULL. */
static inline prefork_worker_t *prefork_find(pid_t pid)
{
    for (size_t i = 0; i < PREFORK_MOST; i++) {
        if (prefork.workers[i].pid == pid) {
            return &prefork.workers[i];
        }
    }
    return NULL;
}

/* A worker has ended unasked. If it has lived for less than a second, the next
 * one starts later, and later each time. */
static inline void prefork_back_off(uint64_t lived_ns)
{
    uint64_t delay_ns = 2 * prefork.delay_ns + UVA_MS(100);

    if (delay_ns > UVA_SEC(10)) {
        delay_ns = UVA_SEC(10);
    }
    prefork.delay_ns = lived_ns < UVA_SEC(1) ? delay_ns : 0;
    prefork.restart_ns = uv_hrtime() + prefork.delay_ns;
}

/* @return Whether that worked. */
static inline bool prefork_start(void)
{
    prefork_worker_t *worker = prefork_find(0);
    pid_t pid = worker != NULL ? fork() : -1;

    if (pid == 0) {
        exit(prefork_child());
    }
    if (pid < 0) {
        fputs("cannot start a worker\n", stderr);
        prefork_back_off(0);
        return false;
    }
    *worker = (prefork_worker_t){
        .pid = pid, .generation = prefork.generation, .start_ns = uv_hrtime()};
    prefork.process_count++;
    return true;
}

/* Tell workers to end: all, or those before the generation. Each is told once,
 * as uva_main dies by a second SIGTERM. */
static inline void prefork_end(bool all)
{
    for (size_t i = 0; i < PREFORK_MOST; i++) {
        prefork_worker_t *worker = &prefork.workers[i];
        if (worker->pid != 0 && worker->kill_ns == 0 &&
            (all || worker->generation != prefork.generation)) {
            kill(worker->pid, SIGTERM);
            worker->kill_ns = uv_hrtime() + prefork.grace_ns + UVA_SEC(5);
        }
    }
}

/* Take the processes that have ended. */
static inline void prefork_reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        prefork_worker_t *worker = prefork_find(pid);
        if (worker != NULL && worker->kill_ns == 0) {
            bool killed = WIFSIGNALED(status);
            fprintf(stderr, "worker %ld ended unasked, %s %d\n", (long)pid,
                    killed ? "signal" : "status",
                    killed ? WTERMSIG(status) : WEXITSTATUS(status));
            prefork_back_off(uv_hrtime() - worker->start_ns);
        }
        if (worker != NULL) {
            worker->pid = 0;
            prefork.process_count--;
        }
    }
}

/* Kill those that have not ended in time. @return When to look again; 0 if no
 * worker is ending. */
static inline uint64_t prefork_kill_late(void)
{
    uint64_t next_ns = 0;

    for (size_t i = 0; i < PREFORK_MOST; i++) {
        prefork_worker_t *worker = &prefork.workers[i];
        if (worker->pid == 0 || worker->kill_ns == 0) {
            continue;
        }
        if (worker->kill_ns <= uv_hrtime()) {
            kill(worker->pid, SIGKILL);
            worker->kill_ns = UINT64_MAX;
        }
        if (next_ns == 0 || worker->kill_ns < next_ns) {
            next_ns = worker->kill_ns;
        }
    }
    return next_ns;
}

/* The first SIGTERM ends, the second kills. */
static inline void prefork_stop(void)
{
    if (!prefork.stopping) {
        prefork.stopping = true;
        systemd_notify("STOPPING=1");
        prefork_end(true);
        for (size_t i = 0; i < prefork.socket_count; i++) {
            close(prefork.sockets[i]); /* New clients are refused. */
        }
        return;
    }
    for (size_t i = 0; i < PREFORK_MOST; i++) {
        if (prefork.workers[i].pid != 0) {
            kill(prefork.workers[i].pid, SIGKILL);
        }
    }
}

/* Wait for a signal, or until a time; 0 is none. */
static inline void prefork_wait(uint64_t until_ns)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    const struct timespec left = {(time_t)(left_ns / UVA_SEC(1)),
                                  (long)(left_ns % UVA_SEC(1))};
    siginfo_t info;
    int number =
        sigtimedwait(&prefork.ours, &info, until_ns != 0 ? &left : NULL);

    if (number == SIGCHLD) {
        prefork_reap();
    } else if (number == SIGHUP) {
        prefork.reload = true;
    } else if (number == SIGTERM || number == SIGINT) {
        prefork_stop();
    } else if (number == PREFORK_SERVING) {
        prefork_worker_t *worker = prefork_find(info.si_pid);
        if (worker != NULL) {
            worker->serving = true;
        }
    }
}

static inline void prefork_reload(void)
{
    char text[64];

    prefork.reload = prefork.settled = false;
    prefork.generation++;
    prefork.delay_ns = prefork.restart_ns = 0;
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             uv_hrtime() / 1000);
    systemd_notify(text);
}

/* Start what is missing of the generation; when all of it serves, end the one
 * before. @return When to start more; 0 if nothing is missing. */
static inline uint64_t prefork_fill(void)
{
    size_t count = 0;
    size_t serving_count = 0;

    for (size_t i = 0; i < PREFORK_MOST; i++) {
        const prefork_worker_t *worker = &prefork.workers[i];
        if (worker->pid != 0 && worker->generation == prefork.generation) {
            count++;
            serving_count += worker->serving;
        }
    }
    while (count < prefork.worker_count && prefork.restart_ns <= uv_hrtime() &&
           prefork_start()) {
        count++;
    }
    if (serving_count == prefork.worker_count && !prefork.settled) {
        prefork.settled = true;
        systemd_notify("READY=1");
        prefork_end(false);
    }
    return count < prefork.worker_count ? prefork.restart_ns : 0;
}

/* What is due in each turn. @return When something is due again; 0: never. */
static inline uint64_t prefork_turn(void)
{
    uint64_t kill_ns = prefork_kill_late();
    uint64_t start_ns;

    if (prefork.stopping) {
        return kill_ns;
    }
    if (prefork.reload && prefork.settled &&
        prefork.process_count + prefork.worker_count <= PREFORK_MOST) {
        prefork_reload();
    }
    start_ns = prefork_fill();
    return start_ns != 0 && (kill_ns == 0 || start_ns < kill_ns) ? start_ns
                                                                 : kill_ns;
}

/* Block the signals of the master, which takes them by and by. To be called
 * first of all: before that they end the process. */
static inline void prefork_begin(void)
{
    const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, PREFORK_SERVING};

    signal(SIGCHLD, SIG_DFL); /* Ignored, it would hide how workers end. */
    sigemptyset(&prefork.ours);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        sigaddset(&prefork.ours, ours[i]);
    }
    sigprocmask(SIG_BLOCK, &prefork.ours, &prefork.before);
    prefork.master = getpid();
}

/* Keep workers until a signal ends all; work is what each does, and returns its
 * status. It must say prefork_serving, and end by SIGTERM within the grace and
 * five seconds. The sockets, which the workers inherit, are closed at the end.
 * @return The status of the program. */
static inline int prefork_run(int (*work)(void),
                              size_t worker_count,
                              uint64_t grace_ns,
                              const int *sockets,
                              size_t socket_count)
{
    prefork.work = work;
    prefork.worker_count = worker_count;
    prefork.grace_ns = grace_ns;
    prefork.sockets = sockets;
    prefork.socket_count = socket_count;
    while (!prefork.stopping || prefork.process_count > 0) {
        prefork_wait(prefork_turn());
    }
    return 0;
}

#endif /* EXAMPLES_PREFORK_H */
