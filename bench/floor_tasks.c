/*
 * The floor of stackless tasks: what is left when there is nothing but a run
 * queue, a function pointer, malloc and a heap of deadlines. No error, no
 * cancellation, no fairness: a bound and not a design.
 *
 *     floor_tasks ctx TASKS COUNT | spawn_seq COUNT | spawn_batch COUNT BATCH |
 *                 gather COUNT | chan COUNT CAPACITY | live COUNT | timers
 * COUNT
 */
#include <sys/epoll.h>

#include "bench.h"

typedef struct task_s {
    struct task_s *next; /* In the run queue. */
    void (*step)(struct task_s *task);
    int64_t left;
    struct task_s *waiter;
    int64_t frame[4];
} task_t;

static const char peer[] = "floor";
static task_t *first;
static task_t **last = &first;
static int64_t finished;

static inline void push(task_t *task)
{
    task->next = NULL;
    *last = task;
    last = &task->next;
}

static inline task_t *pop(void)
{
    task_t *task = first;

    if (task != NULL) {
        first = task->next;
        if (first == NULL) {
            last = &first;
        }
    }
    return task;
}

static void run(void)
{
    task_t *task;

    while ((task = pop()) != NULL) {
        task->step(task);
    }
}

static task_t *spawn(void (*step)(task_t *task), task_t *waiter)
{
    task_t *task = malloc(sizeof *task);

    task->step = step;
    task->waiter = waiter;
    push(task);
    return task;
}

/* --- steps --- */

static void step_yield(task_t *task)
{
    if (--task->left > 0) {
        push(task);
    }
}

static void step_done(task_t *task)
{
    finished++;
    if (task->waiter != NULL) {
        push(task->waiter);
    }
}

static void step_once(task_t *task)
{
    if (task->left-- > 0) {
        push(task);
    } else {
        finished++;
    }
}

static void step_nothing(task_t *task)
{
    task->left++;
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

static void step_put(task_t *task)
{
    while (task->left > 0) {
        if (queue.count == queue.capacity) {
            queue.putter = task;
            return;
        }
        queue.items[(queue.head + queue.count++) & (queue.capacity - 1)] =
            task->left--;
        if (queue.getter != NULL) {
            push(queue.getter);
            queue.getter = NULL;
        }
    }
}

static void step_get(task_t *task)
{
    while (task->left > 0) {
        if (queue.count == 0) {
            queue.getter = task;
            return;
        }
        queue.sum += queue.items[queue.head];
        queue.head = (queue.head + 1) & (queue.capacity - 1);
        queue.count--;
        task->left--;
        if (queue.putter != NULL) {
            push(queue.putter);
            queue.putter = NULL;
        }
    }
}

/* --- a heap of four children --- */

typedef struct due_s {
    int64_t when;
    int64_t index;
} due_t;

static due_t *heap;
static int64_t heap_size;

static void heap_push(due_t due)
{
    int64_t i = heap_size++;

    while (i > 0 && heap[(i - 1) / 4].when > due.when) {
        heap[i] = heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    heap[i] = due;
}

static due_t heap_pop(void)
{
    due_t top = heap[0];
    due_t moved = heap[--heap_size];
    int64_t i = 0;

    for (;;) {
        int64_t child = i * 4 + 1;
        int64_t least = child;
        int64_t end = child + 4 < heap_size ? child + 4 : heap_size;
        if (child >= heap_size) {
            break;
        }
        while (++child < end) {
            least = heap[child].when < heap[least].when ? child : least;
        }
        if (heap[least].when >= moved.when) {
            break;
        }
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = moved;
    return top;
}

/* --- benchmarks --- */

static void ctx(int64_t tasks, int64_t count)
{
    char name[32];
    bench_mark_t mark = bench_begin();

    for (int64_t i = 0; i < tasks; i++) {
        spawn(step_yield, NULL)->left = count / tasks;
    }
    run();
    snprintf(name, sizeof name, "ctx%d", (int)tasks);
    bench_end(mark, name, peer, (double)count);
}

static void spawn_seq(int64_t count)
{
    task_t parent = {.step = step_nothing};
    bench_mark_t mark = bench_begin();

    for (int64_t i = 0; i < count; i++) {
        task_t *task = spawn(step_done, &parent);
        run();
        free(task);
    }
    bench_end(mark, "spawn_seq", peer, (double)count);
}

static void spawn_batch(int64_t count, int64_t batch)
{
    task_t **tasks = calloc((size_t)batch, sizeof *tasks);
    bench_mark_t mark = bench_begin();

    for (int64_t k = 0; k < count; k += batch) {
        for (int64_t i = 0; i < batch; i++) {
            tasks[i] = spawn(step_done, NULL);
        }
        run();
        for (int64_t i = 0; i < batch; i++) {
            free(tasks[i]);
        }
    }
    bench_end(mark, "spawn_batch", peer, (double)count);
    free(tasks);
}

static void gather_once(const char *name, int64_t count)
{
    task_t **tasks = calloc((size_t)count, sizeof *tasks);
    bench_mark_t mark = bench_begin();

    for (int64_t i = 0; i < count; i++) {
        tasks[i] = spawn(step_once, NULL);
        tasks[i]->left = 1;
    }
    run();
    for (int64_t i = 0; i < count; i++) {
        free(tasks[i]);
    }
    bench_end(mark, name, peer, (double)count);
    free(tasks);
}

static void live(int64_t count)
{
    int64_t rss = bench_status("VmRSS:");
    bench_mark_t mark = bench_begin();
    int64_t cpu_ns;

    for (int64_t i = 0; i < count; i++) {
        spawn(step_nothing, NULL);
    }
    cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - mark.cpu_ns;
    printf("{\"bench\":\"live\",\"peer\":\"%s\",\"n\":%" PRId64
           ",\"rss_per\":%.1f,\"cpu_ns\":%.2f}\n",
           peer, count, (double)(bench_status("VmRSS:") - rss) / (double)count,
           (double)cpu_ns / (double)count);
}

static void chan(int64_t count, int64_t capacity)
{
    task_t producer = {.step = step_put, .left = count};
    task_t consumer = {.step = step_get, .left = count};
    char name[32];
    bench_mark_t mark;

    queue.items = calloc((size_t)capacity, sizeof *queue.items);
    queue.capacity = capacity;
    mark = bench_begin();
    push(&producer);
    push(&consumer);
    run();
    snprintf(name, sizeof name, "chan%d", (int)capacity);
    bench_end(mark, name, peer, (double)count);
    free(queue.items);
}

static void timers(int64_t count)
{
    int64_t *late = calloc((size_t)count, sizeof *late);
    int epoll = epoll_create1(0);
    struct epoll_event event;
    bench_mark_t mark;

    heap = calloc((size_t)count, sizeof *heap);
    mark = bench_begin();
    for (int64_t i = 0; i < count; i++) {
        due_t due = {bench_wall() + bench_delay(), i};
        heap_push(due);
    }
    while (heap_size > 0) {
        int64_t now = bench_wall();
        if (heap[0].when > now) {
            epoll_wait(epoll, &event, 1,
                       (int)((heap[0].when - now + 999999) / 1000000));
            now = bench_wall();
        }
        while (heap_size > 0 && heap[0].when <= now) {
            due_t due = heap_pop();
            late[due.index] = bench_wall() - due.when;
        }
    }
    bench_timers("timers", peer, count, late, mark);
    free(heap);
    free(late);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "ctx") == 0) {
        ctx(bench_arg(argc, argv, 2, 2), bench_arg(argc, argv, 3, 50000000));
    } else if (strcmp(what, "spawn_seq") == 0) {
        spawn_seq(bench_arg(argc, argv, 2, 1000000));
    } else if (strcmp(what, "spawn_batch") == 0) {
        spawn_batch(bench_arg(argc, argv, 2, 1000000),
                    bench_arg(argc, argv, 3, 100000));
    } else if (strcmp(what, "gather") == 0) {
        gather_once("gather", bench_arg(argc, argv, 2, 100000));
        gather_once("gather_warm", bench_arg(argc, argv, 2, 100000));
    } else if (strcmp(what, "live") == 0) {
        live(bench_arg(argc, argv, 2, 100000));
    } else if (strcmp(what, "chan") == 0) {
        chan(bench_arg(argc, argv, 2, 10000000), bench_arg(argc, argv, 3, 1));
    } else if (strcmp(what, "timers") == 0) {
        timers(bench_arg(argc, argv, 2, 100000));
    } else {
        return 2;
    }
    return 0;
}
