/*
 * The floor of stackful tasks, for x86-64: a switch of six registers, a run
 * queue, pooled stacks that are bound at the first resume, coloured tops. No
 * guard, no error, no cancellation: a bound and not a design.
 *
 *     floor_stacks ctx TASKS COUNT | spawn_seq COUNT |
 *                  spawn_batch COUNT BATCH | gather COUNT |
 *                  chan COUNT CAPACITY | live COUNT
 *
 * ctx with one task is the bare switch, there and back.
 */
#include <sys/mman.h>

#include "bench.h"

#if defined(__x86_64__)

/* pop and jmp: the return predictor, which would be wrong, is not asked. */
void floor_switch(void **save, void *to);
__asm__(".text\n.globl floor_switch\n.type floor_switch,@function\n"
        "floor_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\n"
        "pushq %r15\nmovq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\n"
        "popq %rcx\njmp *%rcx\n.size floor_switch,.-floor_switch\n");

enum {
    SLAB_STACKS = 256
};

typedef struct task_s {
    struct task_s *next; /* In the run queue. */
    void *sp;
    char *top; /* Of the stack. */
    struct task_s *waiter;
    void (*body)(struct task_s *task);
    int64_t left;
    int done;
} task_t;

static const char peer[] = "floor-stackful";
static size_t stack_bytes = 16384;
static task_t *first;
static task_t **last = &first;
static task_t *current;
static void *main_sp;
static char *pool; /* Free stacks; the link is the topmost word of each. */
static int64_t count;
static int64_t batch;
static const char *what;

static inline void push(task_t *task)
{
    task->next = NULL;
    *last = task;
    last = &task->next;
}

static inline char **link_of(char *top)
{
    return (char **)(void *)(top - sizeof(char *));
}

static void refill(void)
{
    char *slab = mmap(NULL, SLAB_STACKS * stack_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (slab == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    for (size_t i = SLAB_STACKS; i > 0; i--) {
        char *top = slab + i * stack_bytes;
        *link_of(top) = pool;
        pool = top;
    }
}

static void begin(void);

/* The colour belongs to the stack: whoever ended on it may still stand on it
 * when the next task is bound. */
static __attribute__((noinline)) void bind_stack(task_t *task)
{
    void **sp;

    if (pool == NULL) {
        refill();
    }
    task->top = pool;
    pool = *link_of(pool);
    sp = (void **)(void *)(task->top - 16) -
         8 * ((uintptr_t)task->top / stack_bytes % 32);
    *--sp = NULL;
    *(uintptr_t *)(void *)--sp = (uintptr_t)begin;
    task->sp = sp - 6;
}

/* Go on with whoever is next; the caller's place is kept in save. */
static inline void leave(void **save)
{
    task_t *task = first;

    if (task == NULL) {
        floor_switch(save, main_sp);
        return;
    }
    first = task->next;
    if (first == NULL) {
        last = &first;
    }
    current = task;
    if (task->sp == NULL) {
        bind_stack(task);
    }
    floor_switch(save, task->sp);
}

static void begin(void)
{
    task_t *task = current;
    void *nowhere;

    task->body(task);
    task->done = 1;
    if (task->waiter != NULL) {
        push(task->waiter);
    }
    *link_of(task->top) = pool;
    pool = task->top;
    leave(&nowhere);
}

static task_t *spawn(void (*body)(task_t *task))
{
    task_t *task = malloc(sizeof *task);

    task->body = body;
    task->sp = NULL;
    task->waiter = NULL;
    task->done = 0;
    push(task);
    return task;
}

static inline void yield(void)
{
    if (first != NULL) {
        task_t *task = current;
        push(task);
        leave(&task->sp);
    }
}

static void join(task_t *task)
{
    if (!task->done) {
        task->waiter = current;
        leave(&current->sp);
    }
    free(task);
}

/* --- bodies --- */

static void body_yield(task_t *task)
{
    for (int64_t i = task->left; i > 0; i--) {
        yield();
    }
}

static void body_nothing(task_t *task)
{
    (void)task;
}

static void body_once(task_t *task)
{
    (void)task;
    yield();
}

static void body_block(task_t *task)
{
    leave(&task->sp);
}

/* --- benchmarks --- */

static void spawn_seq(void)
{
    bench_mark_t mark = bench_begin();

    for (int64_t i = 0; i < count; i++) {
        join(spawn(body_nothing));
    }
    bench_end(mark, "spawn_seq", peer, (double)count);
}

static void rounds(const char *name, void (*body)(task_t *task), int64_t size)
{
    task_t **tasks = calloc((size_t)size, sizeof *tasks);
    bench_mark_t mark = bench_begin();

    for (int64_t k = 0; k < count; k += size) {
        for (int64_t i = 0; i < size; i++) {
            tasks[i] = spawn(body);
        }
        for (int64_t i = 0; i < size; i++) {
            join(tasks[i]);
        }
    }
    bench_end(mark, name, peer, (double)count);
    free(tasks);
}

static void live(void)
{
    int64_t rss = bench_status("VmRSS:");
    bench_mark_t mark = bench_begin();
    int64_t cpu_ns;

    for (int64_t i = 0; i < count; i++) {
        spawn(body_block);
    }
    yield();
    cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - mark.cpu_ns;
    printf("{\"bench\":\"live\",\"peer\":\"%s\",\"n\":%" PRId64
           ",\"rss_per\":%.1f,\"cpu_ns\":%.2f}\n",
           peer, count, (double)(bench_status("VmRSS:") - rss) / (double)count,
           (double)cpu_ns / (double)count);
    fflush(stdout);
    _Exit(0);
}

static void body_main(task_t *task)
{
    (void)task;
    if (strcmp(what, "spawn_seq") == 0) {
        spawn_seq();
    } else if (strcmp(what, "spawn_batch") == 0) {
        rounds("spawn_batch", body_nothing, batch);
    } else if (strcmp(what, "gather") == 0) {
        rounds("gather", body_once, count);
        rounds("gather_warm", body_once, count);
    } else if (strcmp(what, "live") == 0) {
        live();
    }
}

static void *partner_sp;

static void partner(task_t *task)
{
    (void)task;
    for (;;) {
        floor_switch(&partner_sp, main_sp);
    }
}

static void bare_switch(int64_t switches)
{
    bench_mark_t mark;

    spawn(partner);
    leave(&main_sp);
    mark = bench_begin();
    for (int64_t i = 0; i < switches / 2; i++) {
        floor_switch(&main_sp, partner_sp);
    }
    bench_end(mark, "ctx1", peer, (double)switches);
}

static void ctx(int64_t tasks, int64_t switches)
{
    char name[32];
    bench_mark_t mark;

    for (int64_t i = 0; i < tasks; i++) {
        spawn(body_yield)->left = switches / tasks;
    }
    mark = bench_begin();
    leave(&main_sp);
    snprintf(name, sizeof name, "ctx%d", (int)tasks);
    bench_end(mark, name, peer, (double)switches);
}

/* --- queue --- */

static struct {
    int64_t *items; /* Ring of capacity, a power of two. */
    int64_t capacity;
    int64_t head;
    int64_t count;
    int64_t sum;
    task_t *putter;
    task_t *getter;
} queue;

static inline void wake(task_t **waiter)
{
    if (*waiter != NULL) {
        push(*waiter);
        *waiter = NULL;
    }
}

static inline void wait_as(task_t **waiter)
{
    task_t *task = current;

    *waiter = task;
    leave(&task->sp);
}

static void body_put(task_t *task)
{
    for (int64_t i = task->left; i > 0; i--) {
        while (queue.count == queue.capacity) {
            wait_as(&queue.putter);
        }
        queue.items[(queue.head + queue.count++) & (queue.capacity - 1)] = i;
        wake(&queue.getter);
    }
}

static void body_get(task_t *task)
{
    for (int64_t i = task->left; i > 0; i--) {
        while (queue.count == 0) {
            wait_as(&queue.getter);
        }
        queue.sum += queue.items[queue.head];
        queue.head = (queue.head + 1) & (queue.capacity - 1);
        queue.count--;
        wake(&queue.putter);
    }
}

static void chan(int64_t items, int64_t capacity)
{
    char name[32];
    bench_mark_t mark;

    queue.items = calloc((size_t)capacity, sizeof *queue.items);
    queue.capacity = capacity;
    spawn(body_put)->left = items;
    spawn(body_get)->left = items;
    mark = bench_begin();
    leave(&main_sp);
    snprintf(name, sizeof name, "chan%d", (int)capacity);
    bench_end(mark, name, peer, (double)items);
    free(queue.items);
}

int main(int argc, char **argv)
{
    what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "chan") == 0) {
        chan(bench_arg(argc, argv, 2, 10000000), bench_arg(argc, argv, 3, 128));
        return 0;
    }
    if (strcmp(what, "ctx") == 0) {
        int64_t tasks = bench_arg(argc, argv, 2, 2);
        int64_t switches = bench_arg(argc, argv, 3, 50000000);
        if (tasks == 1) {
            bare_switch(switches);
        } else {
            ctx(tasks, switches);
        }
        return 0;
    }
    count = bench_arg(argc, argv, 2, 100000);
    batch = bench_arg(argc, argv, 3, 100000);
    stack_bytes = strcmp(what, "live") == 0 ? 4096 : stack_bytes;
    spawn(body_main);
    leave(&main_sp);
    return 0;
}

#else

int main(void)
{
    fputs("floor_stacks: x86-64 alone\n", stderr);
    return 77;
}

#endif
