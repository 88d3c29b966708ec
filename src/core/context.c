/*
 * Context variables (contextvars).
 *
 * A context is a holder of a map; maps never change once they are made, so a
 * copy of a context shares the map, and setting a variable makes a new map.
 * Contexts hold few variables: a map is an array, searched from its end.
 *
 * Invariant: no context at all stands for an empty one everywhere.
 */
#include "uva/context.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "core/context.h"
#include "core/extra.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

typedef struct context_entry_s {
    const uva_context_var_t *var;
    void *value;
} context_entry_t;

/* Counts are atomic: a call scheduled from another thread brings its context
 * along. */
typedef struct context_map_s {
    atomic_size_t refs;
    size_t count;
    context_entry_t entries[];
} context_map_t;

struct uva_context_s {
    atomic_size_t refs;
    context_map_t *map; /* Counted; NULL when empty. */
    bool entered;       /* By uva_context_run. */
};

/* The context of callbacks, and of a thread outside loops. Counted. */
static UVA__TLS uva_context_t *thread_context;

static void map_unref(context_map_t *map)
{
    if (map != NULL && atomic_fetch_sub(&map->refs, 1) == 1) {
        uva__free(map);
    }
}

static context_entry_t *map_find(context_map_t *map,
                                 const uva_context_var_t *var)
{
    for (size_t i = map == NULL ? 0 : map->count; i > 0; i--) {
        if (map->entries[i - 1].var == var) {
            return &map->entries[i - 1];
        }
    }
    return NULL;
}

/* A copy of map in which var is set; *ret is NULL if it is to be left out and
 * was the only one. */
static int map_with(context_map_t *map,
                    const uva_context_var_t *var,
                    void *value,
                    bool keep,
                    context_map_t **ret_map)
{
    size_t count = map == NULL ? 0 : map->count;
    context_map_t *copy =
        uva__malloc(sizeof *copy + (count + 1) * sizeof copy->entries[0]);

    if (copy == NULL) {
        return UV_ENOMEM;
    }
    atomic_init(&copy->refs, 1);
    copy->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (map->entries[i].var != var) {
            copy->entries[copy->count++] = map->entries[i];
        }
    }
    if (keep) {
        copy->entries[copy->count++] = (context_entry_t){var, value};
    }
    *ret_map = copy;
    return 0;
}

uva_context_t *uva_context_new(void)
{
    uva_context_t *context = uva__calloc(1, sizeof *context);

    if (context != NULL) {
        atomic_init(&context->refs, 1);
    }
    return context;
}

uva_context_t *uva_context_ref(uva_context_t *context)
{
    if (context != NULL) {
        atomic_fetch_add(&context->refs, 1);
    }
    return context;
}

uva_context_t *uva_context_unref(uva_context_t *context)
{
    if (context != NULL && atomic_fetch_sub(&context->refs, 1) == 1) {
        map_unref(context->map);
        uva__free(context);
    }
    return NULL;
}

uva_context_t *uva__context_current(void)
{
    uva_task_t *task = uva__task_current();

    if (task != NULL) {
        return task->extra == NULL ? NULL : task->extra->context;
    }
    return thread_context;
}

static uva_context_t *context_copy(const uva_context_t *context)
{
    uva_context_t *copy = uva_context_new();

    if (copy != NULL && context != NULL && context->map != NULL) {
        copy->map = context->map;
        atomic_fetch_add(&copy->map->refs, 1);
    }
    return copy;
}

int uva__context_copy_current(uva_context_t **ret_context)
{
    uva_context_t *current = uva__context_current();

    *ret_context = NULL;
    if (current == NULL || current->map == NULL) {
        return 0;
    }
    *ret_context = context_copy(current);
    return *ret_context == NULL ? UV_ENOMEM : 0;
}

uva_context_t *uva_copy_context(void)
{
    return context_copy(uva__context_current());
}

uva_context_t *uva__context_enter(uva_context_t *context)
{
    uva_context_t *outer = thread_context;

    thread_context = uva_context_ref(context);
    return outer;
}

void uva__context_exit_to(uva_context_t *outer)
{
    uva_context_unref(thread_context);
    thread_context = outer;
}

/* The variables that a thread has set outside of loops are freed when it ends.
 * libuv's keys know no destructor. */
static pthread_key_t thread_key;
static uv_once_t thread_once = UV_ONCE_INIT;
static bool thread_watched;

static void thread_exit(void *data)
{
    (void)data;
    thread_context = uva_context_unref(thread_context);
}

static void thread_key_make(void)
{
    thread_watched = pthread_key_create(&thread_key, thread_exit) == 0;
}

static void thread_watch(void)
{
    uv_once(&thread_once, thread_key_make);
    if (thread_watched) {
        (void)pthread_setspecific(thread_key, &thread_once);
    }
}

/* The current context, made if nothing was ever set in it. */
static uva_context_t *context_make_current(void)
{
    uva_task_t *task = uva__task_current();
    uva_context_t *context = uva__context_current();
    uva__extra_t *extra;

    if (context != NULL) {
        return context;
    }
    if (task == NULL) {
        thread_context = uva_context_new();
        thread_watch();
        return thread_context;
    }
    extra = uva__future_extra(&task->base);
    if (extra == NULL) {
        return NULL;
    }
    extra->context = uva_context_new();
    return extra->context;
}

void *uva_context_var_get(const uva_context_var_t *var)
{
    uva_context_t *context = uva__context_current();
    context_entry_t *entry =
        map_find(context == NULL ? NULL : context->map, var);

    return entry == NULL ? var->default_value : entry->value;
}

int uva_context_var_set(uva_context_var_t *var,
                        void *value,
                        uva_context_token_t *ret_token)
{
    uva_context_t *context = context_make_current();
    context_map_t *map;
    context_entry_t *old;

    if (context == NULL || map_with(context->map, var, value, true, &map) < 0) {
        return UV_ENOMEM;
    }
    if (ret_token != NULL) {
        old = map_find(context->map, var);
        *ret_token = (uva_context_token_t){
            context, var, old == NULL ? NULL : old->value, old != NULL, false};
    }
    map_unref(context->map);
    context->map = map;
    return 0;
}

int uva_context_var_reset(uva_context_var_t *var, uva_context_token_t *token)
{
    uva_context_t *context = uva__context_current();
    context_map_t *map;
    int r;

    if (token->used) {
        return uva__bare(UV_EPERM);
    }
    if (token->var != var || token->context != context || context == NULL) {
        return uva__bare(UV_EINVAL);
    }
    r = map_with(context->map, var, token->value, token->was_set, &map);
    if (r < 0) {
        return r;
    }
    map_unref(context->map);
    context->map = map;
    token->used = true;
    return 0;
}

int uva_context_run(uva_context_t *context,
                    uva_callback_cb callback,
                    void *data)
{
    uva_loop_t *loop = uva__running();
    uva_task_t *task = uva__task_current();
    uva_context_t *outer;

    if (callback == NULL) {
        return uva__bare(UV_EINVAL);
    }
    if (context == NULL || context->entered) {
        return uva__bare(context == NULL ? UV_ENOMEM : UV_EPERM);
    }
    /* Inside a task its own context would win over the thread's. */
    if (task != NULL) {
        uva__extra_t *extra = uva__future_extra(&task->base);
        if (extra == NULL) {
            return UV_ENOMEM;
        }
        outer = extra->context;
        extra->context = uva_context_ref(context);
        context->entered = true;
        callback(data);
        context->entered = false;
        UVA__ASSERT(loop->current == task);
        uva_context_unref(extra->context);
        extra->context = outer;
        return 0;
    }
    outer = uva__context_enter(context);
    context->entered = true;
    callback(data);
    context->entered = false;
    uva__context_exit_to(outer);
    return 0;
}

bool uva_context_get(const uva_context_t *context,
                     const uva_context_var_t *var,
                     void **ret_value)
{
    context_entry_t *entry =
        map_find(context == NULL ? NULL : context->map, var);

    if (entry == NULL) {
        return false;
    }
    *ret_value = entry->value;
    return true;
}
