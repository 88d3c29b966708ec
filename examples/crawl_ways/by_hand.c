/*
 * A future, a task and a loop, as small as they can be: what uva is, without
 * errors, cancellation, timers and threads.
 *
 *     future  a result that will come, and the task that waits for it
 *     task    a function that is called step by step; each step ends with the
 *             future that it waits for, and a variable says where to go on
 *     loop    steps what is ready, and waits for sockets when nothing is
 *
 * They make a circle: a step returns a future, the result of the future makes
 * the task ready, and the loop steps the task again. A task has a future of its
 * own end, so tasks wait for tasks as they wait for sockets.
 */
#include "crawl.h"

#include <sys/epoll.h>

typedef struct task_s task_t;

typedef struct future_s {
    bool is_done;
    int result;
    task_t *waiter; /* NULL: no task waits. */
} future_t;

struct task_s {
    future_t end; /* Done when the task is at its end. */
    /* Go on to the next wait. @return What is waited for; NULL at the end. */
    future_t *(*step)(task_t *self);
    int next;           /* Where to go on. A step's own locals are lost. */
    task_t *next_ready; /* In the loop's queue. */
};

/* --- the loop --- */

static int epoll;
static task_t *first_ready;
static task_t **last_ready = &first_ready;

static void task_make_ready(task_t *task)
{
    task->next_ready = NULL;
    *last_ready = task;
    last_ready = &task->next_ready;
}

/* The task that waits is stepped later, by the loop. So the caller of this
 * function finds everything as it left it. */
static void future_set_result(future_t *future, int result)
{
    future->is_done = true;
    future->result = result;
    if (future->waiter != NULL) {
        task_make_ready(future->waiter);
    }
}

static void task_step(task_t *task)
{
    future_t *future = task->step(task);

    if (future == NULL) {
        future_set_result(&task->end, task->end.result);
    } else if (future->is_done) {
        task_make_ready(task);
    } else {
        future->waiter = task;
    }
}

/* @return A future that is done when the socket is ready for the events. */
static future_t *socket_wait(future_t *future, int fd, uint32_t events)
{
    /* One wait is one event: the next wait asks anew. */
    struct epoll_event event = {.events = events | EPOLLONESHOT};

    *future = (future_t){0};
    event.data.ptr = future;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) < 0 &&
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
    return future;
}

static void loop_run(task_t *main_task)
{
    struct epoll_event events[PAGE_COUNT];

    task_make_ready(main_task);
    while (!main_task->end.is_done) {
        while (first_ready != NULL) {
            task_t *task = first_ready;

            first_ready = task->next_ready;
            if (first_ready == NULL) {
                last_ready = &first_ready;
            }
            task_step(task);
        }
        if (!main_task->end.is_done) {
            int count = epoll_wait(epoll, events, PAGE_COUNT, -1);

            for (int i = 0; i < count; i++) {
                future_set_result(events[i].data.ptr, 0);
            }
        }
    }
}

/* --- the program: two tasks written on it --- */

typedef struct fetch_s {
    task_t task; /* First: its address is the address of the fetch. */
    page_t page;
    const char *port;
    future_t ready; /* The wait for the socket. */
} fetch_t;

/* One page, from connect to close, in one function again: each case is the code
 * between two awaits. UVA_STACKLESS makes this switch by macros. */
static future_t *fetch_step(task_t *task)
{
    fetch_t *self = (fetch_t *)task;
    page_t *page = &self->page;

    switch (task->next) {
    case 0:
        page_connect(page, page->number, self->port, SOCK_NONBLOCK);
        task->next = 1;
        return socket_wait(&self->ready, page->fd, EPOLLOUT);
    case 1:
        page_ask(page);
        task->next = 2;
        return socket_wait(&self->ready, page->fd, EPOLLIN);
    default:
        if (!page_read(page)) {
            return socket_wait(&self->ready, page->fd, EPOLLIN);
        }
        task->end.result = page_is_good(page->number, page->answer, page->size);
        return NULL;
    }
}

typedef struct crawl_s {
    task_t task;
    const char *port;
    fetch_t fetches[PAGE_COUNT];
} crawl_t;

/* Start all fetches, then wait for each in turn: a gather. While the task
 * waits, next - 1 is the number of the fetch that it waits for. */
static future_t *crawl_step(task_t *task)
{
    crawl_t *self = (crawl_t *)task;

    if (task->next == 0) {
        for (int i = 0; i < PAGE_COUNT; i++) {
            self->fetches[i] = (fetch_t){
                .task.step = fetch_step, .page.number = i, .port = self->port};
            task_make_ready(&self->fetches[i].task);
        }
    } else {
        task->end.result += self->fetches[task->next - 1].task.end.result;
    }
    return task->next < PAGE_COUNT ? &self->fetches[task->next++].task.end
                                   : NULL;
}

int main(int argc, char **argv)
{
    crawl_t crawl = {.task.step = crawl_step};

    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (argc != 2 || epoll < 0) {
        return 1;
    }
    crawl.port = argv[1];
    loop_run(&crawl.task);
    close(epoll);
    return crawl_status(crawl.task.end.result);
}
