/*
 * Exceptions of C++ in bodies: who awaits in a catch block finds its own when
 * it goes on, whatever the others threw meanwhile; none leaves its stack.
 */
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uva.h>
#include <uva/testing.h>

static int failed;

static void check(bool holds, const char *what, int line)
{
    if (!holds) {
        std::fprintf(stderr, "failed, line %d: %s\n", line, what);
        failed = 1;
    }
}

#define CHECK(condition) check(condition, #condition, __LINE__)

/* On the heap, and freed with the last use: a tool tells of a mix-up. */
struct oops {
    std::string owner;
};

static std::string name_of(void *arg)
{
    return "the task whose argument is " +
           std::to_string(reinterpret_cast<long>(arg));
}

/* Whether the exception that is being handled is this one. */
static bool handles(const std::string &owner)
{
    try {
        throw;
    } catch (const oops &found) {
        return found.owner == owner;
    }
}

/* --- awaits of each kind in a catch block --- */

struct shared {
    uva_lock_t lock;
    uva_queue_t queue;
};

static struct shared shared;

static int sleep_zero(long)
{
    return uva_sleep(0);
}

static int sleep_some(long number)
{
    return uva_sleep(UVA_MS(1 + static_cast<uint64_t>(number * 7 % 5)));
}

static int lock_and_release(long)
{
    int r = uva_lock_acquire(&shared.lock);

    UVA_IGNORE(uva_sleep(0));
    uva_lock_release(&shared.lock);
    return r;
}

static int quick(void *, void **)
{
    return uva_sleep(0);
}

static int join_another(long)
{
    return uva_join(UVA_FUTURE(uva_create_task(quick, nullptr)), nullptr);
}

static int pass_on(long number)
{
    void *item;
    int r = number % 2 != 0 ? uva_queue_put(&shared.queue, &shared)
                            : uva_queue_get(&shared.queue, &item);

    return r;
}

using await_cb = int (*)(long number);

static await_cb awaits;

static int catcher(void *arg, void **)
{
    std::string own = name_of(arg);
    long number = reinterpret_cast<long>(arg);

    CHECK(std::current_exception() == nullptr);
    try {
        throw oops{own};
    } catch (const oops &) {
        CHECK(awaits(number) == 0);
        CHECK(handles(own));
        try {
            throw oops{own + ", again"};
        } catch (const oops &) {
            CHECK(awaits(number) == 0);
            CHECK(handles(own + ", again"));
        }
        CHECK(handles(own));
        CHECK(std::uncaught_exceptions() == 0);
    }
    CHECK(std::current_exception() == nullptr);
    return 0;
}

static int catchers(void *, void **)
{
    enum {
        COUNT = 8
    };
    uva_task_t *tasks[COUNT];

    CHECK(std::current_exception() == nullptr);
    uva_lock_init(&shared.lock);
    uva_queue_init(&shared.queue, 1);
    for (long i = 0; i < COUNT; i++) {
        tasks[i] = uva_create_task(catcher, reinterpret_cast<void *>(i));
    }
    for (uva_task_t *task : tasks) {
        CHECK(uva_join(UVA_FUTURE(task), nullptr) == 0);
    }
    uva_queue_destroy(&shared.queue);
    return 0;
}

/* --- a destructor that awaits while an exception looks for its block --- */

struct awaits_at_end {
    int count = std::uncaught_exceptions();

    ~awaits_at_end()
    {
        CHECK(std::uncaught_exceptions() == count + 1);
        CHECK(uva_sleep(0) == 0);
        CHECK(std::uncaught_exceptions() == count + 1);
    }
};

static int unwinder(void *arg, void **)
{
    std::string own = name_of(arg);

    CHECK(std::uncaught_exceptions() == 0);
    try {
        awaits_at_end guard;
        throw oops{own};
    } catch (const oops &) {
        CHECK(std::uncaught_exceptions() == 0);
        CHECK(uva_sleep(0) == 0);
        CHECK(handles(own));
    }
    return 0;
}

static int unwinders(void *, void **)
{
    uva_task_t *tasks[3];

    for (long i = 0; i < 3; i++) {
        tasks[i] = uva_create_task(unwinder, reinterpret_cast<void *>(i));
    }
    for (uva_task_t *task : tasks) {
        CHECK(uva_join(UVA_FUTURE(task), nullptr) == 0);
    }
    return 0;
}

/* --- what runs on another stack without a wait --- */

static int gives_in_catch(void *arg, void **)
{
    try {
        throw oops{"of the generator"};
    } catch (const oops &) {
        CHECK(uva_coroutine_yield(arg, nullptr) == 0);
        CHECK(uva_sleep(0) == 0);
        CHECK(handles("of the generator"));
    }
    return 0;
}

static int drives(void *, void **)
{
    uva_coroutine_t *coroutine;
    void *value = nullptr;

    CHECK(uva_coroutine_new(gives_in_catch, nullptr, nullptr, &coroutine) == 0);
    try {
        throw oops{"of the driver"};
    } catch (const oops &) {
        CHECK(uva_coroutine_send(coroutine, nullptr, &value) == 1);
        CHECK(handles("of the driver"));
    }
    CHECK(std::current_exception() == nullptr);
    CHECK(uva_coroutine_send(coroutine, nullptr, &value) == 0);
    CHECK(std::current_exception() == nullptr);
    uva_coroutine_unref(coroutine);
    return 0;
}

static int spawns_eagerly(void *, void **)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_task_t *task;

    options.eager_start = true;
    awaits = sleep_zero;
    try {
        throw oops{"of the parent"};
    } catch (const oops &) {
        task = uva_create_task_with(catcher, nullptr, &options);
        CHECK(handles("of the parent"));
        CHECK(uva_join(UVA_FUTURE(task), nullptr) == 0);
        CHECK(handles("of the parent"));
    }
    return 0;
}

/* --- loops that are made in one thread and run in another --- */

template <typename function> static void in_thread(function body)
{
    try {
        throw oops{"of the thread that made it"};
    } catch (const oops &) {
        std::thread(body).join();
        CHECK(handles("of the thread that made it"));
    }
    CHECK(uva_allocated_bytes() == 0);
}

static void run_elsewhere()
{
    uva_loop_t *loop;
    uva_task_t *task;

    CHECK(uva_loop_new(nullptr, &loop) == 0);
    awaits = sleep_zero;
    task = uva_loop_create_task(loop, catchers, nullptr, nullptr);
    in_thread([=] {
        CHECK(uva_loop_run_until_complete(loop, UVA_FUTURE(task), nullptr) ==
              0);
        uva_task_unref(task);
        CHECK(uva_loop_close(loop) == 0);
        uva_loop_unref(loop);
    });
}

static void run_hosted_elsewhere()
{
    uv_loop_t host;
    uva_loop_t *loop;
    uva_task_t *task;

    CHECK(uv_loop_init(&host) == 0);
    CHECK(uva_loop_attach(&host, nullptr, &loop) == 0);
    awaits = sleep_zero;
    task = uva_loop_create_task(loop, catchers, nullptr, nullptr);
    in_thread([=, &host] {
        uv_run(&host, UV_RUN_DEFAULT);
        CHECK(uva_future_done(UVA_FUTURE(task)));
        uva_task_unref(task);
        CHECK(uva_loop_close(loop) == 0);
        uva_loop_unref(loop);
        uv_run(&host, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&host) == 0);
    });
}

/* --- what escapes --- */

static int throws(void *, void **)
{
    throw oops{"nobody's"};
}

static bool terminates(uva_coro_cb body)
{
    const struct rlimit no_core = {0, 0};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        std::set_terminate([] { _exit(42); });
        try {
            UVA_IGNORE(uva_run(body, nullptr, nullptr, nullptr));
        } catch (...) {
            _exit(1);
        }
        _exit(2);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 42;
}

static void run(uva_coro_cb body)
{
    CHECK(uva_run(body, nullptr, nullptr, nullptr) == 0);
    CHECK(uva_allocated_bytes() == 0);
}

static void run_catchers(await_cb cb)
{
    awaits = cb;
    run(catchers);
}

int main()
{
    run_catchers(sleep_zero);
    run_catchers(sleep_some);
    run_catchers(lock_and_release);
    run_catchers(join_another);
    run_catchers(pass_on);
    run(unwinders);
    run(drives);
    run(spawns_eagerly);
    try {
        throw oops{"of main"};
    } catch (const oops &) {
        run_catchers(sleep_zero);
        CHECK(handles("of main"));
    }
    CHECK(std::current_exception() == nullptr);
    run_elsewhere();
    run_hosted_elsewhere();
    CHECK(terminates(throws));
    return failed;
}
