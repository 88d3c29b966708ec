/**
 * @file
 * Stackless tasks: their members and 96 bytes each, for tens of millions at
 * once.
 *
 *     UVA_STACKLESS(size_t, line_length, uva_reader_t *reader;
 *                   uva_buffer_t line;)
 *     {
 *         int r;
 *         UVA_BEGIN
 *         UVA_AWAIT(r, uva_reader_readline, self->reader, &self->line);
 *         *ret = self->line.size;
 *         UVA_END
 *         return r;
 *     }
 *
 * They are spawned, awaited and gathered as those of uva/typed.h.
 */
#ifndef UVA_STACKLESS_H
#define UVA_STACKLESS_H

#include "uva/typed.h"

UVA_BEGIN_DECLS

/** private: a stackless body was entered at no await. */
UVA_EXTERN int uva__bad_resume(const char *function);

/**
 * Define a stackless task: UVA_STACKLESS(T, name, members...) { body }.
 *
 * Arguments and locals are both members, reached through `self`: locals are
 * those that nobody passes. What stands between UVA_BEGIN and UVA_END may
 * await; a C local does not survive an await. Spawned, awaited and gathered as
 * a stackful one; from another stackless body it is a call:
 * UVA_AWAIT(r, name, &self->sub, &self->part), with self->sub set to its
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
    UVA__TYPED(name)                                                 \
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
#define UVA__SDECLARE_HEAD(T, name) \
    UVA__DECLARE_HEAD(T, name)      \
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

/**
 * Await in a stackless body: UVA_AWAIT(r, function, arguments...). One on a
 * line.
 *
 * It calls the poll half of the function, whose name ends in _poll: leaves the
 * body while that returns UVA_PENDING, and calls it again, with its arguments
 * evaluated anew, after the wake-up. Where the poll takes an operation
 * (uva_..._op_t, a member of self, zeroed before its first use), the operation
 * is the first argument. The other arguments are those of the function.
 *
 *     UVA_AWAIT(r, uva_lock_acquire, &lock);
 *     UVA_AWAIT(r, uva_sleep, &self->op, UVA_SEC(1));
 *     UVA_AWAIT(r, uva_yield);
 */
#define UVA_AWAIT(r, ...)                                        \
    do {                                                         \
        if (((r) = UVA__POLL(__VA_ARGS__)) == UVA_PENDING) {     \
            self->uva__z = __LINE__;                             \
            return UVA_PENDING;                                  \
        case __LINE__:                                           \
            if (((r) = UVA__POLL(__VA_ARGS__)) == UVA_PENDING) { \
                return UVA_PENDING;                              \
            }                                                    \
        }                                                        \
    } while (0)

UVA_END_DECLS

#endif /* UVA_STACKLESS_H */
