/*
 * Contexts as values (contextvars.Context).
 *
 * A context points to a map of variables. Invariant: a map never changes once
 * it is made. So a copy of a context shares the map, and setting a variable
 * makes a new map. Contexts have few variables: a map is an array, and is
 * searched from its end, where the variable that was set last stands.
 */
#include "core/context_value.h"

#include "base/alloc.h"

/* A variable and its value; both borrowed from the user. */
typedef struct context_entry_s {
    const uva_context_var_t *var;
    void *value;
} context_entry_t;

/* Counts are atomic, because a call that another thread schedules brings its
 * context along. */
typedef struct uva__context_map_s {
    atomic_size_t refs;
    size_t count;
    context_entry_t entries[];
} context_map_t;

/* The last context that has the map frees it. */
static void map_unref(context_map_t *map)
{
    if (map != NULL && atomic_fetch_sub(&map->refs, 1) == 1) {
        uva__free(map);
    }
}

/* The entry of a variable; NULL if the map, which may be NULL, has none. */
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

/* Copy a map with var set to value, or without var (keep is false). The new
 * entry goes to the end, where map_find looks first. map may be NULL. @retval
 * UV_ENOMEM */
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

/* The last reference may go in any thread. */
uva_context_t *uva_context_unref(uva_context_t *context)
{
    if (context != NULL && atomic_fetch_sub(&context->refs, 1) == 1) {
        map_unref(context->map);
        uva__free(context);
    }
    return NULL;
}

/* The copy and the original share the map until one of them sets a variable. */
uva_context_t *uva__context_copy(const uva_context_t *context)
{
    uva_context_t *copy = uva_context_new();

    if (copy != NULL && context != NULL && context->map != NULL) {
        copy->map = context->map;
        atomic_fetch_add(&copy->map->refs, 1);
    }
    return copy;
}

/* The map that the context had lives on in its copies. */
int uva__context_put(uva_context_t *context,
                     const uva_context_var_t *var,
                     void *value,
                     bool keep)
{
    context_map_t *map;
    int r = map_with(context->map, var, value, keep, &map);

    if (r >= 0) {
        map_unref(context->map);
        context->map = map;
    }
    return r;
}

/* contextvars: Context.get. NULL is an empty context. */
bool uva_context_get(const uva_context_t *context,
                     const uva_context_var_t *var,
                     void **ret_value)
{
    const context_entry_t *entry =
        map_find(context == NULL ? NULL : context->map, var);

    if (entry == NULL) {
        return false;
    }
    *ret_value = entry->value;
    return true;
}
