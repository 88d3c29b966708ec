/*
 * Stack overflow: the list of slabs, the signal handler, the report.
 *
 * A fault in a guard runs the handler on the alternate stack of the thread. The
 * handler finds the slot whose guard holds the address, writes one line, and
 * lets the fault happen again with the default action. Every other fault goes
 * to the handler that was there before.
 *
 * Invariant: the handler may run at any instruction of any thread, so it takes
 * no lock and allocates nothing. What it reads is published by an atomic store
 * and never freed: the tables of the list stay for the life of the process,
 * their entries are used again.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/overflow.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/valgrind.h>
#endif

#include "uva/errors.h"

#include "base/assert.h"
#include "base/descriptors.h"
#include "stack/guards.h"

enum {
    WATCH_TABLE_COUNT = 16,
    WATCH_FIRST_COUNT = 64, /* Entries of table 0; each next has twice. */
    WATCH_NUMBER_COUNT = WATCH_FIRST_COUNT * ((1 << WATCH_TABLE_COUNT) - 1),
    REPORT_BYTES = 512,
    REPORT_NAME_BYTES = 128,
    ALTERNATE_BYTES = 64 * 1024
};

/* --- the list of slabs --- */

/* One slab. base is 0 in a free entry, and 1 while the thread that put the 1
 * fills the entry. */
typedef struct watch_s {
    _Atomic uintptr_t base;
    _Atomic size_t bytes;
    _Atomic size_t slot_bytes;
} watch_t;

/* Table 0 is static, so that a small program maps no table. Each other table is
 * mapped when the ones before it are full. */
static watch_t watch_first[WATCH_FIRST_COUNT];
static _Atomic(watch_t *) watch_tables[WATCH_TABLE_COUNT];
static atomic_int watch_hint; /* No lower number is known to be free. */

/* NULL while the table was not made. Signal-safe. */
static watch_t *watch_table(int index)
{
    return index == 0 ? watch_first
                      : atomic_load_explicit(&watch_tables[index],
                                             memory_order_acquire);
}

static size_t watch_table_count(int index)
{
    return (size_t)WATCH_FIRST_COUNT << index;
}

/* The table that holds an entry's number, and the first number of that table.
 */
static int watch_table_of(int number, int *ret_first)
{
    int index = 0;
    int first = 0;

    while (number >= first + (int)watch_table_count(index)) {
        first += (int)watch_table_count(index);
        index++;
    }
    *ret_first = first;
    return index;
}

/* Make a table. Two threads may try at once: one of them publishes its own,
 * the other one takes that. NULL without memory. */
static watch_t *watch_table_make(int index)
{
    watch_t *expected = NULL;
    size_t bytes = watch_table_count(index) * sizeof(watch_t);
    void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (table == MAP_FAILED) {
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&watch_tables[index], &expected,
                                        (watch_t *)table)) {
        munmap(table, bytes); /* Another thread was first. */
    }
    return watch_table(index);
}

/* The entry of a number, in a table that is made if need be; NULL without
 * memory. */
static watch_t *watch_entry(int number)
{
    int first;
    int index = watch_table_of(number, &first);
    watch_t *table = watch_table(index);

    if (table == NULL) {
        table = watch_table_make(index);
    }
    return table != NULL ? &table[number - first] : NULL;
}

/* The sizes are stored before the base, and the base is released: a handler
 * that sees the base sees the sizes. */
int uva__overflow_watch(char *base, size_t bytes, size_t slot_bytes)
{
    int number = atomic_load_explicit(&watch_hint, memory_order_relaxed);

    for (; number < WATCH_NUMBER_COUNT; number++) {
        watch_t *entry = watch_entry(number);
        uintptr_t unused = 0;

        if (entry == NULL) {
            return UV_ENOMEM;
        }
        if (atomic_compare_exchange_strong(&entry->base, &unused, 1)) {
            atomic_store_explicit(&entry->bytes, bytes, memory_order_relaxed);
            atomic_store_explicit(&entry->slot_bytes, slot_bytes,
                                  memory_order_relaxed);
            atomic_store_explicit(&entry->base, (uintptr_t)base,
                                  memory_order_release);
            atomic_store_explicit(&watch_hint, number + 1,
                                  memory_order_relaxed);
            return number;
        }
    }
    return UV_ENOMEM;
}

void uva__overflow_forget(int number)
{
    watch_t *entry = watch_entry(number);

    UVA__ASSERT(entry != NULL);
    atomic_store_explicit(&entry->base, 0, memory_order_release);
    if (number < atomic_load_explicit(&watch_hint, memory_order_relaxed)) {
        atomic_store_explicit(&watch_hint, number, memory_order_relaxed);
    }
}

/* Whether a flow with this stack pointer can have run down into the guard of
 * the slot: the stack pointer is near the low end or, with a large frame, below
 * it, but still in the slab. If not, a wild pointer has hit the guard, and the
 * report would blame a task that did nothing. NULL: the machine does not tell
 * the stack pointer. */
static bool overflow_is_near(const char *sp,
                             const uva__stack_t *stack,
                             const char *base,
                             size_t slot_bytes)
{
    return sp == NULL || (sp < stack->low + uva__page_bytes() &&
                          sp > stack->low - slot_bytes / 2 && sp >= base);
}

/* The stack whose guard holds an address, or NULL. */
static uva__stack_t *overflow_find(const char *address, const char *sp)
{
    for (int i = 0; i < WATCH_TABLE_COUNT; i++) {
        watch_t *table = watch_table(i);
        size_t count = table != NULL ? watch_table_count(i) : 0;

        for (size_t k = 0; k < count; k++) {
            uintptr_t base =
                atomic_load_explicit(&table[k].base, memory_order_acquire);
            size_t offset = (size_t)((uintptr_t)address - base);
            size_t slot_bytes = table[k].slot_bytes;
            uva__stack_t *stack;

            if (base <= 1 || offset >= table[k].bytes) {
                continue;
            }
            stack = uva__stack_at((char *)base + offset - offset % slot_bytes,
                                  slot_bytes, offset / slot_bytes);
            /* low is NULL while a slot was never used. */
            return address < stack->low &&
                           overflow_is_near(sp, stack, (const char *)base,
                                            slot_bytes)
                       ? stack
                       : NULL;
        }
    }
    return NULL;
}

/* --- the report --- */

/* The line is put together by hand, since printf is not signal-safe. What does
 * not fit is cut. */
typedef struct report_s {
    char text[REPORT_BYTES];
    size_t size;
} report_t;

/* Append at most limit bytes of a string. */
static void report_append(report_t *report, const char *text, size_t limit)
{
    for (size_t i = 0; i < limit && text[i] != '\0'; i++) {
        char c = text[i];
        if (report->size == sizeof report->text) {
            return;
        }
        /* A name is the application's: keep the report one line. */
        report->text[report->size++] =
            (unsigned char)c < 0x20 && c != '\n' ? '?' : c;
    }
}

static void report_add(report_t *report, const char *text)
{
    report_append(report, text, REPORT_BYTES);
}

/* Append a name, cut to a bearable length and without a line feed. */
static void report_name(report_t *report, const char *name)
{
    for (size_t i = 0; i < REPORT_NAME_BYTES && name[i] != '\0'; i++) {
        report_append(report, name[i] == '\n' ? "?" : &name[i], 1);
    }
}

static void report_number(report_t *report, size_t number)
{
    char digits[24];
    char *digit = &digits[sizeof digits - 1];

    *digit = '\0';
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    report_add(report, digit);
}

/* Write the line to standard error, also in pieces. */
static void report_write(const report_t *report)
{
    size_t done = uva__has_stderr() ? 0 : report->size;

    while (done < report->size) {
        ssize_t r =
            write(STDERR_FILENO, report->text + done, report->size - done);
        if (r < 0 && errno != EINTR) {
            return;
        }
        done += r > 0 ? (size_t)r : 0;
    }
}

static _Atomic(uva__overflow_describe_cb) overflow_describe;

/* Write the line that names the task. Signal-safe, as describe is. */
static void overflow_report(uva__stack_t *stack)
{
    uva__overflow_describe_cb describe = atomic_load(&overflow_describe);
    const char *function = NULL;
    const char *name = describe != NULL ? describe(stack, &function) : NULL;
    report_t report;

    report.size = 0;
    report_add(&report, "uva: stack overflow in ");
    if (name != NULL) {
        report_add(&report, "task '");
        report_name(&report, name);
        report_add(&report, "'");
    } else {
        report_add(&report, "an unknown task");
    }
    if (function != NULL) {
        report_add(&report, " (function ");
        report_name(&report, function);
        report_add(&report, ")");
    }
    report_add(&report, ", stack of ");
    report_number(&report, ((size_t)1 << stack->size_log2) / 1024);
    report_add(&report, " KiB, guard ");
    report_add(&report,
               uva__stack_guard_name((uva__stack_guard_t)stack->guard));
    report_add(&report, "\n");
    report_write(&report);
}

/* Let the next signal of this number end the process. */
static void overflow_default(int signal_number)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

/* In the handler: see to it that the process dies by this signal once the
 * handler returns. A fault repeats itself then, with the right registers for a
 * core dump; a signal that was sent must be raised again. */
static void overflow_again(int signal_number, bool sent)
{
    overflow_default(signal_number);
#if defined(UVA_HAVE_VALGRIND)
    /* Valgrind does not know all registers at a fault, so that the same
     * instruction may do something else the second time. */
    sent = sent || RUNNING_ON_VALGRIND;
#endif
    if (sent) {
        raise(signal_number);
    }
}

/* For an overflow that a canary told: no fault is pending, so the signal is
 * raised. It may be blocked or caught, hence the loop and the unblocking. */
void uva__overflow_die(uva__stack_t *stack)
{
    sigset_t set;

    overflow_report(stack);
    overflow_default(SIGSEGV);
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    for (;;) {
        raise(SIGSEGV);
    }
}

/* --- the handler --- */

static const int overflow_signals[2] = {SIGSEGV, SIGBUS};

static pthread_mutex_t overflow_mutex = PTHREAD_MUTEX_INITIALIZER;
static int overflow_count;                   /* Of installs, under the mutex. */
static struct sigaction overflow_earlier[2]; /* Written before we are set. */
/* A handler that was set after ours may still call ours: ours is not set again,
 * and overflow_earlier stays as it is. */
static bool overflow_buried[2];

/* The stack pointer at the fault; NULL where the layout is not known here. */
static const char *overflow_sp(const ucontext_t *context)
{
#if defined(__linux__) && defined(__x86_64__) && defined(__LP64__)
    return (const char *)(uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__linux__) && defined(__aarch64__)
    return (const char *)(uintptr_t)context->uc_mcontext.sp;
#else
    (void)context;
    return NULL;
#endif
}

/* Do what the process would have done without our handler: call the earlier
 * one, ignore a signal that was sent, or die. */
static void overflow_chain(int signal_number, siginfo_t *info, void *context)
{
    const struct sigaction *earlier =
        &overflow_earlier[signal_number == SIGBUS];
    bool sent = info->si_code <= 0; /* By a process, not by a fault. */

    if ((earlier->sa_flags & SA_SIGINFO) != 0) {
        earlier->sa_sigaction(signal_number, info, context);
    } else if (earlier->sa_handler == SIG_IGN && sent) {
        return;
    } else if (earlier->sa_handler == SIG_DFL ||
               earlier->sa_handler == SIG_IGN) {
        overflow_again(signal_number, sent);
    } else {
        earlier->sa_handler(signal_number);
    }
}

/* The handler. It keeps errno: the flow that was interrupted goes on if an
 * earlier handler mends the fault. */
static void overflow_handle(int signal_number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    uva__stack_t *stack = NULL;

    if (info->si_code > 0) {
        stack = overflow_find(info->si_addr, overflow_sp(context));
    }
    if (stack != NULL) {
        overflow_report(stack);
        overflow_again(signal_number, false);
    } else {
        overflow_chain(signal_number, info, context);
    }
    errno = saved_errno;
}

static bool overflow_is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 &&
           action->sa_sigaction == overflow_handle;
}

/* Set our handler for one of the signals. What was there is kept before ours is
 * set: it may be called at once. Under the mutex. */
static int overflow_set(int i)
{
    struct sigaction action = {.sa_sigaction = overflow_handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction earlier;

    if (sigaction(overflow_signals[i], NULL, &earlier) != 0) {
        return -errno;
    }
    if (overflow_is_ours(&earlier) || overflow_buried[i]) {
        return 0;
    }
    overflow_earlier[i] = earlier;
    sigemptyset(&action.sa_mask);
    return sigaction(overflow_signals[i], &action, NULL) == 0 ? 0 : -errno;
}

/* Put the earlier handler back, if ours is the last one. Under the mutex. */
static void overflow_unset(int i)
{
    struct sigaction current;

    if (sigaction(overflow_signals[i], NULL, &current) == 0 &&
        overflow_is_ours(&current)) {
        sigaction(overflow_signals[i], &overflow_earlier[i], NULL);
        return;
    }
    /* The handler that was set after ours may chain to ours. Setting ours again
     * on top of it would make a circle. */
    overflow_buried[i] = true;
}

int uva__overflow_install(uva__overflow_describe_cb describe)
{
    int r = 0;

    pthread_mutex_lock(&overflow_mutex);
    atomic_store(&overflow_describe, describe);
    if (overflow_count == 0) {
        r = overflow_set(0);
        if (r == 0) {
            r = overflow_set(1);
            if (r < 0) {
                overflow_unset(0);
            }
        }
    }
    if (r == 0) {
        overflow_count++;
    }
    pthread_mutex_unlock(&overflow_mutex);
    return r;
}

void uva__overflow_uninstall(void)
{
    pthread_mutex_lock(&overflow_mutex);
    UVA__ASSERT(overflow_count > 0);
    if (--overflow_count == 0) {
        overflow_unset(1);
        overflow_unset(0);
    }
    pthread_mutex_unlock(&overflow_mutex);
}

/* --- the alternate stack of a thread --- */

/* The handler cannot run on the stack that has overflowed. */
static UVA__TLS struct {
    void *base; /* Owned; NULL if the thread brought an alternate stack. */
    size_t bytes;
    int count;
} overflow_thread;

/* Whole pages: room for the registers that the kernel saves, and for an earlier
 * handler that does more than ours. */
static size_t overflow_alternate_bytes(void)
{
    size_t bytes = ALTERNATE_BYTES;

#if defined(_SC_MINSIGSTKSZ)
    long least = sysconf(_SC_MINSIGSTKSZ); /* Grows with the registers. */
    if (least > 0) {
        bytes += (size_t)least;
    }
#endif
    return (bytes + uva__page_bytes() - 1) & ~(uva__page_bytes() - 1);
}

int uva__overflow_thread_init(void)
{
    stack_t stack = {0};
    void *base;

    if (overflow_thread.count++ > 0) {
        return 0;
    }
    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0) {
        return 0;
    }
    stack = (stack_t){.ss_size = overflow_alternate_bytes()};
    base = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    stack.ss_sp = base;
    if (base == MAP_FAILED || sigaltstack(&stack, NULL) != 0) {
        if (base != MAP_FAILED) {
            munmap(base, stack.ss_size);
        }
        return UV_ENOMEM;
    }
    overflow_thread.base = base;
    overflow_thread.bytes = stack.ss_size;
    return 0;
}

void uva__overflow_thread_exit(void)
{
    stack_t stack = {0};

    UVA__ASSERT(overflow_thread.count > 0);
    if (--overflow_thread.count > 0 || overflow_thread.base == NULL) {
        return;
    }
    /* Somebody may have set another one since: that stays. */
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == overflow_thread.base) {
        stack = (stack_t){.ss_flags = SS_DISABLE};
        sigaltstack(&stack, NULL);
    }
    munmap(overflow_thread.base, overflow_thread.bytes);
    overflow_thread.base = NULL;
}
