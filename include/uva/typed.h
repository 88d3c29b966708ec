/**
 * @file
 * Typed tasks: named arguments copied into the task, a typed result, a task
 * type of its own for each function, so that a wrong task or result does not
 * compile.
 *
 *     UVA_TASK(size_t, fetch, const char *path;)
 *     {
 *         ... args->path ...
 *         *ret = size;
 *         return 0;
 *     }
 *
 *     fetch_task_t *task = uva_spawn(fetch, .path = "/1");
 *     size_t size;
 *     int r = fetch_await(task, &size);
 *
 * Missing arguments are zero. The body gets `args` (const) and `ret`; ret is
 * copied out of the task when it is awaited and is all zero until written.
 * T may be void. With each function come:
 *
 *   fetch_await(task, &value)      Wait for a task; take its result and its
 *                                  reference. value may be NULL, and is
 *                                  written on success alone. Returns and
 *                                  suspends as uva_join.
 *   fetch_wait_for(task, timeout_ns, &value)
 *                                  The same with a deadline, as uva_wait_for:
 *                                  UV_ETIMEDOUT if that came first.
 *   fetch_gather(tasks, count, flags, codes, values)
 *                                  uva_gather over tasks of this function.
 *                                  values: array of count results, may be
 *                                  NULL. With UVA_RETURN_EXCEPTIONS a failure
 *                                  fails nothing else: codes, an array of
 *                                  count, gets 0 or the failure of each, and
 *                                  the value of a failure stays as it was.
 *                                  codes is NULL otherwise.
 *   fetch_spawn(args, options)     uva_spawn for C++, which has no macro for
 *                                  arguments by name: args is a fetch_args_t;
 *                                  options hold the loop and the group, and
 *                                  NULL is the defaults.
 *   fetch_submit(executor, args, options)
 *                                  uva_submit for C++ (executors.h). Not of
 *                                  stackless functions.
 *
 * The first three have poll halves for UVA_AWAIT; those of wait_for and gather
 * take an operation first (uva_wait_for_op_t, uva_gather_op_t).
 */
#ifndef UVA_TYPED_H
#define UVA_TYPED_H

#include <string.h>

#include "uva/runners.h"
#include "uva/taskgroups.h"
#include "uva/tasks.h"

UVA_BEGIN_DECLS

/** private: what the runtime has to know of a typed function. */
typedef struct uva__coro_s {
    const char *name; /* NULL: the arguments begin with it. */
    int (*enter)(void *args, void *ret);
    /* Copy the arguments and clear the result: the compiler knows how many
     * bytes there are, so that neither is a call. */
    void (*fill)(void *args, void *ret, const void *from);
    void (*drop)(void *args); /* Destructor of the arguments, or NULL. */
    uint32_t frame_bytes;     /* Of the arguments. */
    uint32_t place;           /* Of uva__z in them. */
    uint32_t ret_place; /* Of the result, from the end of uva_task_t on. */
    uint32_t ret_bytes;
    uint32_t units; /* Of 16 bytes: arguments and result together; one less for
                       a stackless task, which has one less of its own. */
    uint32_t stackless; /* 1, or 0. */
} uva__coro_t;

/** private: options NULL: the defaults. */
UVA_EXTERN UVA_NODISCARD uva_task_t *
uva__spawn(const uva__coro_t *coro,
           const void *args,
           const uva_task_options_t *options,
           const char *here);
/** private: ret, where the result goes if the task succeeds, may be NULL. */
UVA_EXTERN uva_task_t *uva__taskgroup_spawn(uva_taskgroup_t *group,
                                            const uva__coro_t *coro,
                                            const void *args,
                                            void *ret,
                                            const char *here);
/** private: executors.h. executor NULL: the loop's default. */
UVA_EXTERN UVA_NODISCARD uva_task_t *
uva__submit(uva_executor_t *executor,
            const uva__coro_t *coro,
            const void *args,
            const uva_task_options_t *options,
            const char *here);
/** private */
UVA_EXTERN UVA_NODISCARD int uva__run_task(const uva__coro_t *coro,
                                           const void *args,
                                           const uva_run_options_t *options,
                                           void *ret,
                                           const char *here);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__main(const uva__coro_t *coro, const void *args, const char *here);
/** private */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva__await_typed(uva_future_t *take_task, void *ret, size_t ret_bytes);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__await_typed_poll(uva_future_t *take_task, void *ret, size_t ret_bytes);
/** private */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva__wait_for_typed(
    uva_future_t *take_task, uint64_t timeout_ns, void *ret, size_t ret_bytes);
/** private */
UVA_EXTERN UVA_NODISCARD int uva__wait_for_typed_poll(uva_wait_for_op_t *op,
                                                      uva_future_t *take_task,
                                                      uint64_t timeout_ns,
                                                      void *ret,
                                                      size_t ret_bytes);
/** private */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva__gather_typed(const uva_future_ref_t *take_tasks,
                  size_t count,
                  unsigned flags,
                  int *ret_codes,
                  void *ret,
                  size_t ret_bytes);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__gather_typed_poll(uva_gather_op_t *op,
                       const uva_future_ref_t *take_tasks,
                       size_t count,
                       unsigned flags,
                       int *ret_codes,
                       void *ret,
                       size_t ret_bytes);

#ifdef __cplusplus
UVA_END_DECLS
template <class T> struct uva__size_of {
    static constexpr size_t value = sizeof(T);
};
template <> struct uva__size_of<void> {
    static constexpr size_t value = 0;
};
#    define UVA__SIZEOF(T) uva__size_of<T>::value
UVA_BEGIN_DECLS
#else
/** private: 0 for void. */
#    define UVA__SIZEOF(T) \
        _Generic((T *)0, void *                                                    \
             : (size_t)0, default                                              \
             : sizeof(*_Generic((T *)0, void * : (char *)0, default : (T *)0)))
#endif

/** private: an alignment that fits a type of this size: the largest power of
 * two in it, up to 16; 1 for 0. */
#define UVA__ALIGNMENT(size)             \
    ((size) % 2 != 0 || (size) == 0 ? 1u \
     : (size) % 4 != 0              ? 2u \
     : (size) % 8 != 0              ? 4u \
     : (size) % 16 != 0             ? 8u \
                                    : 16u)
/** private: from the arguments on, the first place behind uva__z that fits the
 * result: often the padding of the arguments. */
#define UVA__RET_PLACE(name)                             \
    UVA__ROUND(offsetof(name##_args_t, uva__z) +         \
                   sizeof(((name##_args_t *)0)->uva__z), \
               UVA__ALIGNMENT(UVA__SIZEOF(name##_ret_t)))
#define UVA__FRAME_UNITS(args, end) \
    (uint32_t)(((args) > (end) ? (args) + 15 : (end) + 15) / 16)
#define UVA__ROUND(number, step) (((number) + (step)-1) / (step) * (step))

/**
 * Define a stackful task: UVA_TASK(T, name, members...) { body }.
 *
 * The members are struct members, each with its semicolon.
 */
#define UVA_TASK(...) \
    UVA__CAT(UVA__TASK_, UVA__HAS_ARGS(__VA_ARGS__))(__VA_ARGS__)
#define UVA__TASK_0(T, name) \
    struct name##_args_s {   \
        char uva__z;         \
    };                       \
    UVA__TASK_HEAD(T, name, NULL)
#define UVA__TASK_A(T, name, ...) \
    struct name##_args_s {        \
        __VA_ARGS__ char uva__z;  \
    };                            \
    UVA__TASK_HEAD(T, name, NULL)
#define UVA__TASK_HEAD(T, name, drop)                                      \
    UVA__TYPES(T, name)                                                    \
    static int name##__body(const name##_args_t *args, name##_ret_t *ret); \
    UVA__CORO(static, name, drop, false)                                   \
    UVA__TYPED(name)                                                       \
    UVA__SUBMITTED(name)                                                   \
    UVA__BODY(name)

/**
 * A task whose arguments own something: `static void drop(name_args_t *args)`,
 * defined by the user, runs exactly once, after the body or instead of it
 * (cancelled before its first step, refused, loop closed).
 */
#define UVA_TASK_DROP(T, name, drop, ...)       \
    struct name##_args_s {                      \
        __VA_ARGS__ char uva__z;                \
    };                                          \
    typedef struct name##_args_s name##_args_t; \
    static void drop(name##_args_t *args);      \
    static void name##__drop(void *frame)       \
    {                                           \
        drop((name##_args_t *)frame);           \
    }                                           \
    UVA__TASK_HEAD(T, name, name##__drop)

/**
 * The same split over a header (declare) and one source file (define): the
 * members are written once, in the header.
 */
#define UVA_TASK_DECLARE(...) \
    UVA__CAT(UVA__DECLARE_, UVA__HAS_ARGS(__VA_ARGS__))(__VA_ARGS__)
#define UVA__DECLARE_0(T, name) \
    struct name##_args_s {      \
        char uva__z;            \
    };                          \
    UVA__DECLARE_HEAD(T, name)
#define UVA__DECLARE_A(T, name, ...) \
    struct name##_args_s {           \
        __VA_ARGS__ char uva__z;     \
    };                               \
    UVA__DECLARE_HEAD(T, name)
#define UVA__DECLARE_HEAD(T, name)         \
    UVA__TYPES(T, name)                    \
    extern const uva__coro_t name##__coro; \
    UVA__TYPED(name)                       \
    UVA__SUBMITTED(name)
/** Define a task that UVA_TASK_DECLARE has declared: UVA_TASK_DEFINE(name)
 * { body }. */
#define UVA_TASK_DEFINE(name)                                              \
    static int name##__body(const name##_args_t *args, name##_ret_t *ret); \
    UVA__CORO(, name, NULL, false)                                         \
    UVA__BODY(name)

/** private */
#define UVA__TYPES(T, name)                                                  \
    typedef struct name##_args_s name##_args_t;                              \
    typedef T name##_ret_t;                                                  \
    typedef struct name##_task_s {                                           \
        char uva__task; /* Never read: the type is a name for uva_task_t. */ \
    } name##_task_t;
/** private */
#define UVA__CORO(storage, name, drop, stackless) \
    UVA__CORO_NAMED(storage, name, #name, drop, stackless)
/** private */
#define UVA__CORO_NAMED(storage, name, text, drop, stackless)                \
    static int name##__enter(void *args, void *ret)                          \
    {                                                                        \
        return name##__body((name##_args_t *)args, (name##_ret_t *)ret);     \
    }                                                                        \
    static void name##__fill(void *args, void *ret, const void *from)        \
    {                                                                        \
        memcpy(args, from, sizeof(name##_args_t));                           \
        memset(ret, 0, UVA__SIZEOF(name##_ret_t));                           \
    }                                                                        \
    storage const uva__coro_t name##__coro = {                               \
        text,                                                                \
        name##__enter,                                                       \
        name##__fill,                                                        \
        drop,                                                                \
        (uint32_t)sizeof(name##_args_t),                                     \
        (uint32_t)offsetof(name##_args_t, uva__z),                           \
        (uint32_t)UVA__RET_PLACE(name) + ((stackless) ? 0 : 16),             \
        (uint32_t)UVA__SIZEOF(name##_ret_t),                                 \
        UVA__FRAME_UNITS(sizeof(name##_args_t),                              \
                         UVA__RET_PLACE(name) + UVA__SIZEOF(name##_ret_t)) - \
            ((stackless) ? 1 : 0),                                           \
        (stackless) ? 1 : 0};
/** private */
#define UVA__BODY(name)                                           \
    static int name##__body(UVA_UNUSED const name##_args_t *args, \
                            UVA_UNUSED name##_ret_t *ret)
/** private: what comes with each function. */
#define UVA__TYPED(name)                                                       \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##__spawn(       \
        name##_args_t args, const uva_task_options_t *options,                 \
        const char *here)                                                      \
    {                                                                          \
        UVA__CLEAR_PADDING(&args);                                             \
        return (name##_task_t *)(void *)uva__spawn(&name##__coro, &args,       \
                                                   options, here);             \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##_spawn(        \
        name##_args_t args, const uva_task_options_t *options)                 \
    {                                                                          \
        return name##__spawn(args, options, #name);                            \
    }                                                                          \
    UVA_UNUSED static inline name##_task_t *name##__spawn_into(                \
        uva_taskgroup_t *group, name##_ret_t *ret, name##_args_t args,         \
        const char *here)                                                      \
    {                                                                          \
        UVA__CLEAR_PADDING(&args);                                             \
        return (name##_task_t *)(void *)uva__taskgroup_spawn(                  \
            group, &name##__coro, &args, ret, here);                           \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__run(                    \
        const uva_run_options_t *options, name##_ret_t *ret,                   \
        name##_args_t args, const char *here)                                  \
    {                                                                          \
        UVA__CLEAR_PADDING(&args);                                             \
        return uva__run_task(&name##__coro, &args, options, ret, here);        \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__main(                   \
        name##_args_t args, const char *here)                                  \
    {                                                                          \
        UVA__CLEAR_PADDING(&args);                                             \
        return uva__main(&name##__coro, &args, here);                          \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##_await(                   \
        name##_task_t *take_task, name##_ret_t *ret)                           \
    {                                                                          \
        return uva__await_typed((uva_future_t *)(void *)take_task, ret,        \
                                UVA__SIZEOF(name##_ret_t));                    \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##_await_poll(              \
        name##_task_t *take_task, name##_ret_t *ret)                           \
    {                                                                          \
        return uva__await_typed_poll((uva_future_t *)(void *)take_task, ret,   \
                                     UVA__SIZEOF(name##_ret_t));               \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##_wait_for(                \
        name##_task_t *take_task, uint64_t timeout_ns, name##_ret_t *ret)      \
    {                                                                          \
        return uva__wait_for_typed((uva_future_t *)(void *)take_task,          \
                                   timeout_ns, ret,                            \
                                   UVA__SIZEOF(name##_ret_t));                 \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##_wait_for_poll(           \
        uva_wait_for_op_t *op, name##_task_t *take_task, uint64_t timeout_ns,  \
        name##_ret_t *ret)                                                     \
    {                                                                          \
        return uva__wait_for_typed_poll(op, (uva_future_t *)(void *)take_task, \
                                        timeout_ns, ret,                       \
                                        UVA__SIZEOF(name##_ret_t));            \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##_gather(                  \
        name##_task_t *const *take_tasks, size_t count, unsigned flags,        \
        int *ret_codes, name##_ret_t *ret)                                     \
    {                                                                          \
        return uva__gather_typed(                                              \
            (const uva_future_ref_t *)(const void *)take_tasks, count, flags,  \
            ret_codes, ret, UVA__SIZEOF(name##_ret_t));                        \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##_gather_poll(             \
        uva_gather_op_t *op, name##_task_t *const *take_tasks, size_t count,   \
        unsigned flags, int *ret_codes, name##_ret_t *ret)                     \
    {                                                                          \
        return uva__gather_typed_poll(                                         \
            op, (const uva_future_ref_t *)(const void *)take_tasks, count,     \
            flags, ret_codes, ret, UVA__SIZEOF(name##_ret_t));                 \
    }

/** private: what comes with stackful functions, as only these can run where
 * nothing can suspend. */
#define UVA__SUBMITTED(name)                                                 \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##__submit(    \
        uva_executor_t *executor, name##_args_t args,                        \
        const uva_task_options_t *options, const char *here)                 \
    {                                                                        \
        UVA__CLEAR_PADDING(&args);                                           \
        return (name##_task_t *)(void *)uva__submit(executor, &name##__coro, \
                                                    &args, options, here);   \
    }                                                                        \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##_submit(     \
        uva_executor_t *executor, name##_args_t args,                        \
        const uva_task_options_t *options)                                   \
    {                                                                        \
        return name##__submit(executor, args, options, #name);               \
    }

/**
 * Create a task: uva_spawn(name, .argument = value, ...). Refused as
 * uva_create_task. @return NAME_task_t *, new reference.
 */
#define uva_spawn(...) uva_spawn_with(NULL, __VA_ARGS__)
/**
 * uva_spawn with options: uva_spawn_with(&options, name, ...); NULL for the
 * defaults. Destructors are for plain tasks alone.
 *
 * @return NAME_task_t *, new reference; with a group borrowed until its exit.
 */
#define uva_spawn_with(options, ...) \
    UVA__SPAWN(options, __VA_ARGS__, .uva__z = 0)
#define UVA__SPAWN(options, name, ...) \
    name##__spawn((name##_args_t){__VA_ARGS__}, options, UVA__HERE)
/** Create a task that runs on by itself: uva_spawn, and its reference dropped.
 * A failure is reported to the exception handler, and so logged. */
#define uva_go(...) UVA__GO(__VA_ARGS__, .uva__z = 0)
#define UVA__GO(name, ...)                                     \
    ((void)uva_task_unref((uva_task_t *)(void *)name##__spawn( \
        (name##_args_t){__VA_ARGS__}, NULL, UVA__HERE)))
/** A child of a group: uva_taskgroup_spawn(&group, name, ...).
 * @return NAME_task_t *, borrowed until the exit; refused as
 * uva_taskgroup_create_task. */
#define uva_taskgroup_spawn(group, ...) \
    uva_taskgroup_spawn_into(group, NULL, __VA_ARGS__)
/**
 * A child whose result goes to where the caller wants it:
 * uva_taskgroup_spawn_into(&group, &value, name, ...).
 *
 * The value is copied if the child succeeds, and is there when the exit of the
 * group returns. As the exit waits for the child it may be a local. Nothing is
 * written once a group was left without its exit.
 */
#define uva_taskgroup_spawn_into(group, ret, ...) \
    UVA__SPAWN_INTO(group, ret, __VA_ARGS__, .uva__z = 0)
#define UVA__SPAWN_INTO(group, ret, name, ...) \
    name##__spawn_into(group, ret, (name##_args_t){__VA_ARGS__}, UVA__HERE)

/**
 * uva_run for a typed task: uva_run_task(name, &options, &value, ...).
 *
 * options and value may be NULL. The value is written on success alone.
 */
#define uva_run_task(...) UVA__RUN_TASK(__VA_ARGS__, .uva__z = 0)
#define UVA__RUN_TASK(name, options, ret, ...) \
    name##__run(options, ret, (name##_args_t){__VA_ARGS__}, UVA__HERE)
/**
 * Run a typed task as a program, the last line of main:
 *
 *     return uva_main(serve, .argc = argc, .argv = argv);
 *
 * @return The exit status: 0 when the task succeeded, whatever its result; 130
 *         when SIGINT has ended it, 143 when SIGTERM has; 1 when it failed, and
 *         a line on standard error tells which task, and why. The line comes
 *         whatever the log hook is. A task that catches its cancellation, shuts
 *         down and returns 0 has succeeded.
 */
#define uva_main(...) UVA__MAIN(__VA_ARGS__, .uva__z = 0)
#define UVA__MAIN(name, ...) \
    name##__main((name##_args_t){__VA_ARGS__}, UVA__HERE)

/** UVA_ERASE gives a typed task as a uva_task_t; anything but a task does not
 * compile. */
#ifdef __cplusplus
#    define UVA_ERASE(task) \
        (reinterpret_cast<uva_task_t *>(uva__as_future(task)))
#else
#    define UVA_ERASE(task) ((uva_task_t *)(void *)UVA_FUTURE(task))
#endif

UVA_END_DECLS

#endif /* UVA_TYPED_H */
