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
 *     int r = uva_await_typed(fetch, task, &size);
 *
 * Missing arguments are zero. The body gets `args` (const) and `ret`; ret is
 * copied out of the task when it is awaited and is all zero until written.
 * T may be void. C++ has no macro for arguments by name: there the plain
 * functions NAME_spawn(args), NAME_spawn_on(loop or NULL, args, options or
 * NULL) and NAME_spawn_in(&group, args, options or NULL) take a NAME_args_t.
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
    const char *name;          /* NULL: the arguments begin with it. */
    int (*enter)(void *task);  /* Whose arguments and result it finds. */
    void (*drop)(void *frame); /* Destructor of the arguments, or NULL. */
    uint32_t frame_bytes;      /* Of the arguments. */
    uint32_t place;            /* Of uva__z in them. */
    uint32_t ret_place;        /* Of the result in the task, behind uva__z. */
    uint32_t ret_bytes;
    uint32_t task_units; /* Of 16 bytes: the task object, all in all. */
    uint32_t kind;       /* Of UVA__CORO_STACKLESS and UVA__CORO_DROPS. */
} uva__coro_t;

/** private */
enum {
    UVA__CORO_STACKLESS = 1,
    UVA__CORO_DROPS = 2, /* It has a drop. */
    UVA__CORO_KINDS = 4
};

/** private: bytes of a task before its arguments. */
enum {
    UVA__STACKLESS_BYTES = 96,
    UVA__STACKFUL_BYTES = 112
};
#define UVA__TASK_HEAD_BYTES(stackless) \
    ((stackless) ? (size_t)UVA__STACKLESS_BYTES : (size_t)UVA__STACKFUL_BYTES)

/** private: most spawns. A task whose arguments and result the caller writes
 * before anything else; NULL where it takes uva__spawn. */
UVA_EXTERN uva_task_t *uva__spawn_plain(const uva__coro_t *coro);
/** private */
UVA_EXTERN UVA_NODISCARD uva_task_t *
uva__spawn(const uva__coro_t *coro, const void *args, const char *here);
/** private: loop NULL: the running one; options NULL: the defaults. */
UVA_EXTERN UVA_NODISCARD uva_task_t *
uva__spawn_on(uva_loop_t *loop,
              const uva__coro_t *coro,
              const void *args,
              const uva_task_options_t *options,
              const char *here);
/** private */
UVA_EXTERN uva_task_t *uva__spawn_in(uva_taskgroup_t *group,
                                     const uva__coro_t *coro,
                                     const void *args,
                                     const uva_task_options_t *options,
                                     const char *here);
/** private */
UVA_EXTERN UVA_NODISCARD int uva__run_typed(const uva__coro_t *coro,
                                            const void *args,
                                            void *ret,
                                            size_t ret_bytes,
                                            const char *here);
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
/** private: a stackless body was entered at no await. */
UVA_EXTERN int uva__bad_resume(const char *function);

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
/** private: in the task, the first place behind uva__z that fits the result:
 * often the padding of the arguments. */
#define UVA__RET_PLACE(name, stackless)                   \
    (UVA__TASK_HEAD_BYTES(stackless) +                    \
     UVA__ROUND(offsetof(name##_args_t, uva__z) +         \
                    sizeof(((name##_args_t *)0)->uva__z), \
                UVA__ALIGNMENT(UVA__SIZEOF(name##_ret_t))))
#define UVA__TASK_UNITS(frame, end) \
    (uint32_t)(((frame) > (end) ? (frame) + 15 : (end) + 15) / 16)
#define UVA__ROUND(number, step) (((number) + (step)-1) / (step) * (step))

/* A for three or more arguments, 0 for two. */
#define UVA__PICK(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, ...) q
#define UVA__HAS_ARGS(...) \
    UVA__PICK(__VA_ARGS__, A, A, A, A, A, A, A, A, A, A, A, A, A, A, 0, 0, 0)

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
    UVA__TYPED(name, false)                                                \
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
    UVA__DECLARE_HEAD(T, name, false)
#define UVA__DECLARE_A(T, name, ...) \
    struct name##_args_s {           \
        __VA_ARGS__ char uva__z;     \
    };                               \
    UVA__DECLARE_HEAD(T, name, false)
#define UVA__DECLARE_HEAD(T, name, stackless) \
    UVA__TYPES(T, name)                       \
    extern const uva__coro_t name##__coro;    \
    UVA__TYPED(name, stackless)
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
#define UVA__CORO_NAMED(storage, name, text, drop, stackless)             \
    static int name##__enter(void *task)                                  \
    {                                                                     \
        void *args = (char *)task + UVA__TASK_HEAD_BYTES(stackless);      \
        void *ret = (char *)task + UVA__RET_PLACE(name, stackless);       \
        return name##__body((name##_args_t *)args, (name##_ret_t *)ret);  \
    }                                                                     \
    storage const uva__coro_t name##__coro = {                            \
        text,                                                             \
        name##__enter,                                                    \
        drop,                                                             \
        (uint32_t)sizeof(name##_args_t),                                  \
        (uint32_t)offsetof(name##_args_t, uva__z),                        \
        (uint32_t)UVA__RET_PLACE(name, stackless),                        \
        (uint32_t)UVA__SIZEOF(name##_ret_t),                              \
        UVA__TASK_UNITS(                                                  \
            UVA__TASK_HEAD_BYTES(stackless) + sizeof(name##_args_t),      \
            UVA__RET_PLACE(name, stackless) + UVA__SIZEOF(name##_ret_t)), \
        ((stackless) ? UVA__CORO_STACKLESS : 0) |                         \
            ((drop) != NULL ? UVA__CORO_DROPS : 0)};
/** private */
#define UVA__BODY(name)                                           \
    static int name##__body(UVA_UNUSED const name##_args_t *args, \
                            UVA_UNUSED name##_ret_t *ret)
/** private */
#define UVA__TYPED(name, stackless)                                            \
    UVA_UNUSED UVA__OUT_OF_LINE static char *name##__spawn_slow(               \
        name##_args_t args, const char *here)                                  \
    {                                                                          \
        UVA__CLEAR_PADDING(&args);                                             \
        return (char *)uva__spawn(&name##__coro, &args, here);                 \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##__spawn(       \
        name##_args_t args, const char *here)                                  \
    {                                                                          \
        char *task = (char *)uva__spawn_plain(&name##__coro);                  \
        if (task == NULL) {                                                    \
            task = name##__spawn_slow(args, here);                             \
        } else {                                                               \
            memcpy(task + UVA__TASK_HEAD_BYTES(stackless), &args,              \
                   sizeof args);                                               \
            memset(task + UVA__RET_PLACE(name, stackless), 0,                  \
                   UVA__SIZEOF(name##_ret_t));                                 \
        }                                                                      \
        return (name##_task_t *)(void *)task;                                  \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##_spawn(        \
        name##_args_t args)                                                    \
    {                                                                          \
        return name##__spawn(args, #name);                                     \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##__spawn_on(    \
        uva_loop_t *loop, name##_args_t args,                                  \
        const uva_task_options_t *options, const char *here)                   \
    {                                                                          \
        UVA__CLEAR_PADDING(&args);                                             \
        return (name##_task_t *)(void *)uva__spawn_on(loop, &name##__coro,     \
                                                      &args, options, here);   \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline name##_task_t *name##_spawn_on(     \
        uva_loop_t *loop, name##_args_t args,                                  \
        const uva_task_options_t *options)                                     \
    {                                                                          \
        return name##__spawn_on(loop, args, options, #name);                   \
    }                                                                          \
    UVA_UNUSED static inline name##_task_t *name##__spawn_in(                  \
        uva_taskgroup_t *group, name##_args_t args,                            \
        const uva_task_options_t *options, const char *here)                   \
    {                                                                          \
        UVA__CLEAR_PADDING(&args);                                             \
        return (name##_task_t *)(void *)uva__spawn_in(group, &name##__coro,    \
                                                      &args, options, here);   \
    }                                                                          \
    UVA_UNUSED static inline name##_task_t *name##_spawn_in(                   \
        uva_taskgroup_t *group, name##_args_t args,                            \
        const uva_task_options_t *options)                                     \
    {                                                                          \
        return name##__spawn_in(group, args, options, #name);                  \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__run(                    \
        name##_args_t args, name##_ret_t *ret, const char *here)               \
    {                                                                          \
        return uva__run_typed(&name##__coro, &args, ret,                       \
                              UVA__SIZEOF(name##_ret_t), here);                \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__await(                  \
        name##_task_t *take_task, name##_ret_t *ret)                           \
    {                                                                          \
        return uva__await_typed((uva_future_t *)(void *)take_task, ret,        \
                                UVA__SIZEOF(name##_ret_t));                    \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__await_poll(             \
        name##_task_t *take_task, name##_ret_t *ret)                           \
    {                                                                          \
        return uva__await_typed_poll((uva_future_t *)(void *)take_task, ret,   \
                                     UVA__SIZEOF(name##_ret_t));               \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__wait_for(               \
        name##_task_t *take_task, uint64_t timeout_ns, name##_ret_t *ret)      \
    {                                                                          \
        return uva__wait_for_typed((uva_future_t *)(void *)take_task,          \
                                   timeout_ns, ret,                            \
                                   UVA__SIZEOF(name##_ret_t));                 \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__wait_for_poll(          \
        uva_wait_for_op_t *op, name##_task_t *take_task, uint64_t timeout_ns,  \
        name##_ret_t *ret)                                                     \
    {                                                                          \
        return uva__wait_for_typed_poll(op, (uva_future_t *)(void *)take_task, \
                                        timeout_ns, ret,                       \
                                        UVA__SIZEOF(name##_ret_t));            \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__gather(                 \
        name##_task_t *const *take_tasks, size_t count, unsigned flags,        \
        int *ret_codes, name##_ret_t *ret)                                     \
    {                                                                          \
        return uva__gather_typed(                                              \
            (const uva_future_ref_t *)(const void *)take_tasks, count, flags,  \
            ret_codes, ret, UVA__SIZEOF(name##_ret_t));                        \
    }                                                                          \
    UVA_UNUSED UVA_NODISCARD static inline int name##__gather_poll(            \
        uva_gather_op_t *op, name##_task_t *const *take_tasks, size_t count,   \
        unsigned flags, int *ret_codes, name##_ret_t *ret)                     \
    {                                                                          \
        return uva__gather_typed_poll(                                         \
            op, (const uva_future_ref_t *)(const void *)take_tasks, count,     \
            flags, ret_codes, ret, UVA__SIZEOF(name##_ret_t));                 \
    }

/**
 * Create a task: uva_spawn(name, .argument = value, ...). Refused as
 * uva_create_task. @return NAME_task_t *, new reference.
 */
#define uva_spawn(...) UVA__SPAWN(__VA_ARGS__, .uva__z = 0)
#define UVA__SPAWN(name, ...) \
    name##__spawn((name##_args_t){__VA_ARGS__}, UVA__HERE)
/** uva_spawn with options: uva_spawn_with(&options, name, ...). NULL for the
 * defaults; destructors are for plain tasks alone. */
#define uva_spawn_with(options, ...) \
    uva_loop_spawn_with(NULL, options, __VA_ARGS__)
/**
 * uva_spawn on a loop that need not run: uva_loop_spawn(loop, name, ...), in a
 * host's callback or before the loop runs. NULL is the running one.
 *
 * @return NAME_task_t *, new reference. Refused as uva_loop_create_task.
 * @asyncio loop.create_task
 */
#define uva_loop_spawn(loop, ...) uva_loop_spawn_with(loop, NULL, __VA_ARGS__)
/** uva_loop_spawn with options: uva_loop_spawn_with(loop, &options, name, ...).
 */
#define uva_loop_spawn_with(loop, options, ...) \
    UVA__SPAWN_ON(loop, options, __VA_ARGS__, .uva__z = 0)
#define UVA__SPAWN_ON(loop, options, name, ...) \
    name##__spawn_on(loop, (name##_args_t){__VA_ARGS__}, options, UVA__HERE)
/** A child of a group: uva_taskgroup_spawn(&group, name, ...). Borrowed. */
#define uva_taskgroup_spawn(group, ...) \
    uva_taskgroup_spawn_with(group, NULL, __VA_ARGS__)
/** uva_taskgroup_spawn with options: uva_taskgroup_spawn_with(&group,
 * &options, name, ...). */
#define uva_taskgroup_spawn_with(group, options, ...) \
    UVA__SPAWN_IN(group, options, __VA_ARGS__, .uva__z = 0)
#define UVA__SPAWN_IN(group, options, name, ...) \
    name##__spawn_in(group, (name##_args_t){__VA_ARGS__}, options, UVA__HERE)
/** uva_run for a typed task: uva_run_typed(name, &ret or NULL, ...). */
#define uva_run_typed(...) UVA__RUN_TYPED(__VA_ARGS__, .uva__z = 0)
#define UVA__RUN_TYPED(name, ret, ...) \
    name##__run((name##_args_t){__VA_ARGS__}, ret, UVA__HERE)

/** Await a typed task, take its result and its reference. */
#define uva_await_typed(name, take_task, ret) name##__await(take_task, ret)
/** The poll half of uva_await_typed. */
#define uva_await_typed_poll(name, take_task, ret) \
    name##__await_poll(take_task, ret)
/**
 * Await a typed task with a deadline: when it comes the task is cancelled, and
 * waited for until it has ended. Takes its result and its reference.
 *
 * @param timeout_ns From now on; UVA_FOREVER for none.
 * @param ret May be NULL; written on success alone.
 * @retval UV_ETIMEDOUT The deadline came first.
 * @return Otherwise as uva_await_typed.
 * @suspends As uva_wait_for.
 * @asyncio wait_for
 */
#define uva_wait_for_typed(name, take_task, timeout_ns, ret) \
    name##__wait_for(take_task, timeout_ns, ret)
/** The poll half of uva_wait_for_typed; op zeroed before the first call. */
#define uva_wait_for_typed_poll(name, op, take_task, timeout_ns, ret) \
    name##__wait_for_poll(op, take_task, timeout_ns, ret)
/**
 * uva_gather over tasks of one function; rets: array of count results, may be
 * NULL. With UVA_RETURN_EXCEPTIONS use uva_gather_all_typed, which fills codes
 * (array of count: 0 or the failure) and leaves the results of failures as
 * they are.
 */
#define uva_gather_typed(name, take_tasks, count, flags, rets) \
    name##__gather(take_tasks, count, flags, NULL, rets)
/** The poll half of uva_gather_typed; op zeroed before the first call. */
#define uva_gather_typed_poll(name, op, take_tasks, count, flags, rets) \
    name##__gather_poll(op, take_tasks, count, flags, NULL, rets)
/** uva_gather_typed that never fails for a child: see there. */
#define uva_gather_all_typed(name, take_tasks, count, codes, rets) \
    name##__gather(take_tasks, count, UVA_RETURN_EXCEPTIONS, codes, rets)

/** UVA_ERASE gives a typed task as a uva_task_t; anything but a task does not
 * compile. */
#ifdef __cplusplus
#    define UVA_ERASE(task) \
        (reinterpret_cast<uva_task_t *>(uva__as_future(task)))
#else
#    define UVA_ERASE(task) ((uva_task_t *)(void *)UVA_FUTURE(task))
#endif

/** The function, for tasks of any type. */
#define uva_detach(task) uva_detach(UVA_ERASE(task))

/**
 * Define a stackless task: UVA_STACKLESS(T, name, members...) { body }.
 *
 * Arguments and locals are both members, reached through `self`: locals are
 * those that nobody passes. What stands between UVA_BEGIN and UVA_END may
 * await; a C local does not survive an await. Spawned, awaited and gathered as
 * a stackful one; from another stackless body it is a call:
 * UVA_AWAIT(r, name_poll(&self->sub, &self->part)), with self->sub set to its
 * arguments and all else zero before.
 */
#define UVA_STACKLESS(...) \
    UVA__CAT(UVA__STACKLESS_, UVA__HAS_ARGS(__VA_ARGS__))(__VA_ARGS__)
#define UVA__STACKLESS_0(T, name)                                \
    struct name##_args_s {                                       \
        int uva__z; /* Where to go on: the line of the await. */ \
    };                                                           \
    UVA__STACKLESS_HEAD(T, name, NULL)
#define UVA__STACKLESS_A(T, name, ...) \
    struct name##_args_s {             \
        __VA_ARGS__ int uva__z;        \
    };                                 \
    UVA__STACKLESS_HEAD(T, name, NULL)
#define UVA__STACKLESS_HEAD(T, name, drop)                           \
    UVA__TYPES(T, name)                                              \
    static int name##__body(name##_args_t *self, name##_ret_t *ret); \
    UVA__CORO(static, name, drop, true)                              \
    UVA__TYPED(name, true)                                           \
    UVA_UNUSED UVA_NODISCARD static inline int name##_poll(          \
        name##_args_t *self, name##_ret_t *ret){                     \
        UVA__NESTED(name, self, ret)} UVA__STACKLESS_BODY(name)
/* A body that is called and not a task cannot yield by itself: its task does.
 */
#define UVA__NESTED(name, self, ret)                               \
    int r;                                                         \
    if ((self)->uva__z >= UVA__AT_YIELD && uva_yield_poll() < 0) { \
        (self)->uva__z += UVA__AT_CANCELLED - UVA__AT_YIELD;       \
    }                                                              \
    r = name##__body(self, ret);                                   \
    return r == UVA__YIELD ? uva_yield_poll() : r;
#define UVA__STACKLESS_BODY(name) \
    static int name##__body(name##_args_t *self, UVA_UNUSED name##_ret_t *ret)

/** As UVA_TASK_DROP, for a stackless task. */
#define UVA_STACKLESS_DROP(T, name, drop, ...)  \
    struct name##_args_s {                      \
        __VA_ARGS__ int uva__z;                 \
    };                                          \
    typedef struct name##_args_s name##_args_t; \
    static void drop(name##_args_t *self);      \
    static void name##__drop(void *frame)       \
    {                                           \
        drop((name##_args_t *)frame);           \
    }                                           \
    UVA__STACKLESS_HEAD(T, name, name##__drop)

/** As UVA_TASK_DECLARE and UVA_TASK_DEFINE, for a stackless task. */
#define UVA_STACKLESS_DECLARE(...) \
    UVA__CAT(UVA__SDECLARE_, UVA__HAS_ARGS(__VA_ARGS__))(__VA_ARGS__)
#define UVA__SDECLARE_0(T, name) \
    struct name##_args_s {       \
        int uva__z;              \
    };                           \
    UVA__SDECLARE_HEAD(T, name)
#define UVA__SDECLARE_A(T, name, ...) \
    struct name##_args_s {            \
        __VA_ARGS__ int uva__z;       \
    };                                \
    UVA__SDECLARE_HEAD(T, name)
#define UVA__SDECLARE_HEAD(T, name)  \
    UVA__DECLARE_HEAD(T, name, true) \
    UVA_NODISCARD int name##_poll(name##_args_t *self, name##_ret_t *ret);
/** Define a task that UVA_STACKLESS_DECLARE has declared. */
#define UVA_STACKLESS_DEFINE(name)                                   \
    static int name##__body(name##_args_t *self, name##_ret_t *ret); \
    UVA__CORO(, name, NULL, true)                                    \
    int name##_poll(name##_args_t *self, name##_ret_t *ret){         \
        UVA__NESTED(name, self, ret)} UVA__STACKLESS_BODY(name)

/* A local that is initialised between awaits is jumped over: gcc says so. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__cplusplus)
#    define UVA__BEGIN_DIAGNOSTIC \
        _Pragma("GCC diagnostic error \"-Wjump-misses-init\"")
#else
#    define UVA__BEGIN_DIAGNOSTIC
#endif

/** Begin the part of a stackless body that may await. */
#define UVA_BEGIN           \
    UVA__BEGIN_DIAGNOSTIC   \
    switch (self->uva__z) { \
    case 0:
/** End it. What follows runs once the body has come to its end. */
#define UVA_END                       \
    break;                            \
default:                              \
    return uva__bad_resume(__func__); \
    }                                 \
    self->uva__z = -1;

/**
 * Let everything that is ready run once: uva_sleep(0) in a stackless body, at
 * its least cost. r becomes 0 or UV_ECANCELED. One on a line.
 */
#define UVA_YIELD(r)                             \
    do {                                         \
        self->uva__z = UVA__AT_YIELD + __LINE__; \
        return UVA__YIELD;                       \
    case UVA__AT_CANCELLED + __LINE__:           \
        (r) = UV_ECANCELED;                      \
        break;                                   \
    case UVA__AT_YIELD + __LINE__:               \
        (r) = 0;                                 \
    } while (0)

/** private: added to the line where a body yields, and goes on cancelled. */
enum {
    UVA__AT_YIELD = 1 << 28,
    UVA__AT_CANCELLED = 1 << 29
};

/** Await in a stackless body: call the poll, leave while it is UVA_PENDING,
 * call it again after the wake-up. One on a line. */
#define UVA_AWAIT(r, poll)                       \
    do {                                         \
        if (((r) = (poll)) == UVA_PENDING) {     \
            self->uva__z = __LINE__;             \
            return UVA_PENDING;                  \
        case __LINE__:                           \
            if (((r) = (poll)) == UVA_PENDING) { \
                return UVA_PENDING;              \
            }                                    \
        }                                        \
    } while (0)

UVA_END_DECLS

#endif /* UVA_TYPED_H */
