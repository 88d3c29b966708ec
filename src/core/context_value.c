/*
 * Contexts as values (contextvars.Context).
 *
 * A context is a holder of a map; maps never change once they are made, so a
 * copy of a context shares the map, and setting a variable makes a new map.
 * Contexts hold few variables: a map is an array, searched from its end.
 */
#include "core/context_value.h"

#include "base/alloc.h"

typedef struct context_entry_s {
    const uva_context_var_t *var;
    void *value;
} context_entry_t;

/* Counts are atomic: a call scheduled from another thread brings its context
 * along. */
typedef struct uva__context_map_s {
    atomic_size_t refs;
    size_t count;
    context_entry_t entries[];
} context_map_t;

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

uva_context_t *uva__context_copy(const uva_context_t *context)
{
    uva_context_t *copy = uva_context_new();

    if (copy != NULL && context != NULL && context->map != NULL) {
        copy->map = context->map;
        atomic_fetch_add(&copy->map->refs, 1);
    }
    return copy;
}

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
