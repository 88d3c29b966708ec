/*
 * uva_stress: rounds of random use, each from a seed that is told when it
 * fails. What a round does is in the files beside it.
 */
#include "stress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: uva_stress [-v] [-s SEED] [-n ROUNDS | -t SECONDS] [-m MODE]...\n"
    "\n"
    "Rounds of random use, 100 of each mode unless told otherwise. Without -s\n"
    "the seed of the first round is a fresh one. A round that fails tells its\n"
    "mode and seed: -m MODE -s SEED -n 1 runs it again. -v shows the log."
    "\n"
    "\n"
    "Exit status: 0, 2 for misuse; a failure ends it by a signal.\n"
    "\n"
    "Modes, all of them unless some are named:\n";

/* --- modes --- */

static void run_locks(void)
{
    static const part_t *const parts[] = {&locks_part, &conditions_part};

    stress_round(parts, 2);
}

static void run_queues(void)
{
    static const part_t *const parts[] = {&queues_part};

    stress_round(parts, 1);
}

static void run_waits(void)
{
    static const part_t *const parts[] = {&waits_part};

    stress_round(parts, 1);
}

static void run_scopes(void)
{
    static const part_t *const parts[] = {&scopes_part};

    stress_round(parts, 1);
}

static void run_calls(void)
{
    static const part_t *const parts[] = {&calls_part};

    stress_round(parts, 1);
}

static const part_t *const all_parts[] = {
    &locks_part, &conditions_part, &queues_part,
    &waits_part, &scopes_part,     &calls_part,
};

static void run_mixed(void)
{
    stress_round(all_parts, sizeof all_parts / sizeof all_parts[0]);
}

static void run_sockets(void)
{
    static const part_t *const parts[] = {
        &sockets_part, &sockets_part, &sockets_part, &locks_part,
        &queues_part,  &scopes_part,  &waits_part,
    };

    world.sockets = true;
    world.shuts = stress_once_in(3);
    stress_round(parts, sizeof parts / sizeof parts[0]);
}

static void run_memory(void)
{
    world.failing = true;
    run_mixed();
}

static void run_shutdown(void)
{
    world.shuts = true;
    run_mixed();
}

const stress_mode_t stress_modes[] = {
    {
        "locks",
        "locks, semaphores, events, barriers, conditions",
        run_locks,
    },
    {"queues", "queues and select", run_queues},
    {"waits", "futures, gather, wait, shield, races", run_waits},
    {"scopes", "timeouts and groups", run_scopes},
    {"calls", "callbacks, contexts, coroutines", run_calls},
    {"mixed", "all of these in one loop", run_mixed},
    {"memory", "the same, and allocations fail", run_memory},
    {"sockets", "streams against peers that do not behave", run_sockets},
    {"shutdown", "the same, and the loop is shut down in the middle",
     run_shutdown},
    {"jobs", "jobs of threads and of a loop in one pool", stress_jobs},
    {NULL, NULL, NULL},
};

/* --- what a round that fails tells --- */

static void tell(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written;
}

static void tell_seed(void)
{
    char digits[24];
    char *digit = digits + sizeof digits - 1;
    uint64_t seed = world.seed;

    *digit = '\0';
    do {
        *--digit = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed > 0);
    tell("uva_stress: again: -m ");
    tell(world.mode != NULL ? world.mode->name : "?");
    tell(" -s ");
    tell(digit);
    tell(" -n 1\n");
}

static void fatal_cb(int number)
{
    if (number == SIGALRM) {
        tell("uva_stress: the round does not end\n");
    }
    tell_seed();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* Sanitizers end a program without a signal. */
#if defined(__GNUC__)
extern void __sanitizer_set_death_callback(void (*callback)(void))
    __attribute__((weak));
extern void __lsan_do_leak_check(void) __attribute__((weak));
#endif

void (*stress_find_leaks)(void);

static void watch_for_the_end(void)
{
    (void)signal(SIGABRT, fatal_cb);
    (void)signal(SIGALRM, fatal_cb);
#if defined(__GNUC__)
    stress_find_leaks = __lsan_do_leak_check;
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(tell_seed);
        return;
    }
#endif
    (void)signal(SIGSEGV, fatal_cb);
    (void)signal(SIGBUS, fatal_cb);
}

/* --- rounds --- */

enum {
    ROUND_SECONDS = 60,
    MODES_MAX = 16
};

typedef struct plan_s {
    uint64_t seed;
    unsigned long rounds;
    unsigned long seconds;
    const stress_mode_t *modes[MODES_MAX];
    unsigned mode_count;
    bool verbose;
} plan_t;

static void run_round(const stress_mode_t *mode, uint64_t seed)
{
    world = (world_t){.state = seed, .seed = seed, .mode = mode};
    (void)alarm(ROUND_SECONDS);
    mode->run();
    (void)alarm(0);
}

static int run_plan(const plan_t *plan)
{
    time_t end = time(NULL) + (time_t)plan->seconds;
    unsigned long rounds = 0;

    (void)printf("uva_stress: from seed %llu\n",
                 (unsigned long long)plan->seed);
    (void)fflush(stdout);
    while (plan->seconds > 0 ? time(NULL) < end : rounds < plan->rounds) {
        for (unsigned i = 0; i < plan->mode_count; i++) {
            run_round(plan->modes[i], plan->seed + rounds);
        }
        rounds++;
    }
    (void)printf("uva_stress: %lu rounds of %u modes\n", rounds,
                 plan->mode_count);
    return 0;
}

/* --- the command line --- */

static int misuse(FILE *file)
{
    (void)fputs(usage, file);
    for (const stress_mode_t *mode = stress_modes; mode->name != NULL; mode++) {
        (void)fprintf(file, "  %-8s %s\n", mode->name, mode->about);
    }
    return file == stdout ? 0 : 2;
}

static bool plan_add(plan_t *plan, const char *name)
{
    for (const stress_mode_t *mode = stress_modes; mode->name != NULL; mode++) {
        if (name == NULL || strcmp(mode->name, name) == 0) {
            if (plan->mode_count == MODES_MAX) {
                return false;
            }
            plan->modes[plan->mode_count++] = mode;
            if (name != NULL) {
                return true;
            }
        }
    }
    return name == NULL;
}

static bool number_of(const char *text, unsigned long long *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0';
}

static bool plan_read(plan_t *plan, int argc, char **argv)
{
    unsigned long long number;
    int option;

    while ((option = getopt(argc, argv, "s:n:t:m:v")) != -1) {
        if (option == 'm') {
            if (!plan_add(plan, optarg)) {
                return false;
            }
        } else if (option == 'v') {
            plan->verbose = true;
        } else if (option == '?' || !number_of(optarg, &number)) {
            return false;
        } else if (option == 's') {
            plan->seed = number;
        } else if (option == 'n') {
            plan->rounds = (unsigned long)number;
        } else {
            plan->seconds = (unsigned long)number;
        }
    }
    return optind == argc && (plan->mode_count > 0 || plan_add(plan, NULL));
}

int main(int argc, char **argv)
{
    plan_t plan = {.rounds = 100};
    struct timespec now;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return misuse(stdout);
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    plan.seed = ((uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec) %
                1000000000u * 1000u;
    if (!plan_read(&plan, argc, argv)) {
        return misuse(stderr);
    }
    if (!plan.verbose) {
        /* Refusals and reports are what it makes on purpose. */
        uva_set_log(NULL, NULL);
    }
    watch_for_the_end();
    return run_plan(&plan);
}
