/*
 * Memory of a run, growing text, and the words for values and failures.
 */
#include "uva_conform.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- memory --- */

typedef struct arena_piece_s {
    struct arena_piece_s *next;
    max_align_t data[];
} arena_piece_t;

void refuse(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("uva_conform: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    (void)fflush(NULL);
    _Exit(2); /* What a run holds at this point is no leak. */
}

void *arena_get(arena_t *arena, size_t size)
{
    arena_piece_t *piece = calloc(1, sizeof *piece + size);

    if (piece == NULL) {
        refuse("out of memory");
        return NULL;
    }
    piece->next = arena->pieces;
    arena->pieces = piece;
    return piece->data;
}

void arena_clear(arena_t *arena)
{
    while (arena->pieces != NULL) {
        arena_piece_t *piece = arena->pieces;

        arena->pieces = piece->next;
        free(piece);
    }
}

/* --- text --- */

static void text_reserve(text_t *text, size_t size)
{
    size_t capacity = text->capacity == 0 ? 256 : text->capacity;

    while (capacity - text->size <= size) {
        capacity *= 2;
    }
    if (capacity != text->capacity) {
        char *data = realloc(text->data, capacity);

        if (data == NULL) {
            refuse("out of memory");
            return;
        }
        text->data = data;
        text->capacity = capacity;
    }
}

void text_add_bytes(text_t *text, const char *data, size_t size)
{
    text_reserve(text, size);
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_add(text_t *text, const char *format, ...)
{
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0) {
        refuse("cannot format");
        return;
    }
    text_reserve(text, (size_t)size);
    va_start(args, format);
    (void)vsnprintf(text->data + text->size, (size_t)size + 1, format, args);
    va_end(args);
    text->size += (size_t)size;
}

void text_clear(text_t *text)
{
    free(text->data);
    *text = (text_t){0};
}

/* --- values --- */

void text_add_bool(text_t *text, bool value)
{
    text_add(text, "%s", value ? "true" : "false");
}

static void text_add_gathered(text_t *text,
                              const shape_t *shape,
                              const uva_result_t *results)
{
    text_add(text, "[");
    for (size_t i = 0; i < shape->count; i++) {
        const child_t *child = &shape->children[i];

        text_add(text, "%s", i == 0 ? "" : ",");
        if (results[i].status < 0) {
            text_add_failure(text,
                             (failure_t){results[i].status,
                                         uva_future_error(child->future)});
        } else {
            text_add_value(text, child->shape, results[i].value);
        }
    }
    text_add(text, "]");
}

void text_add_value(text_t *text, const shape_t *shape, const void *value)
{
    if (shape->count > 0) {
        text_add_gathered(text, shape, value);
    } else if (value == NULL || !((const value_t *)value)->set) {
        text_add(text, "none");
    } else {
        text_add(text, "%d", ((const value_t *)value)->number);
    }
}

/* --- failures --- */

typedef struct failure_name_s {
    int code;
    const char *name;
} failure_name_t;

static const failure_name_t failure_names[] = {
    {UV_ECANCELED, "Cancelled"},
    {UV_ETIMEDOUT, "Timeout"},
    {UV_EPERM, "Runtime"},
    {UV_EINVAL, "Value"},
    {UVA_EINVALIDSTATE, "InvalidState"},
    {UVA_EQUEUEEMPTY, "QueueEmpty"},
    {UVA_EQUEUEFULL, "QueueFull"},
    {UVA_EQUEUESHUTDOWN, "QueueShutDown"},
    {UVA_EBROKENBARRIER, "BrokenBarrier"},
};

static void text_add_code(text_t *text, int code)
{
    for (size_t i = 0; i < sizeof failure_names / sizeof *failure_names; i++) {
        if (failure_names[i].code == code) {
            text_add(text, "%s", failure_names[i].name);
            return;
        }
    }
    /* None of the language: a difference in any trace. */
    text_add(text, "%s?%d", uva_err_name(code), code);
}

void text_add_failure(text_t *text, failure_t failure)
{
    if (failure.code <= UVA_EUSER) {
        text_add(text, "E%d", UVA_EUSER - failure.code);
        return;
    }
    if (failure.code != UVA_EGROUP) {
        text_add_code(text, failure.code);
        return;
    }
    text_add(text, "Group(");
    for (size_t i = 0; i < uva_error_member_count(failure.record); i++) {
        const uva_error_t *member = uva_error_member(failure.record, i);

        text_add(text, "%s", i == 0 ? "" : ",");
        text_add_failure(text, (failure_t){uva_error_code(member), member});
    }
    text_add(text, ")");
}

bool failure_matches(failure_t failure, catch_t kind)
{
    switch (kind) {
    case CATCH_CANCEL:
        return failure.code == UV_ECANCELED;
    case CATCH_TIMEOUT:
        return failure.code == UV_ETIMEDOUT;
    case CATCH_USER:
        return failure.code <= UVA_EUSER;
    case CATCH_GROUP:
        return failure.code == UVA_EGROUP;
    case CATCH_EXC:
        return failure.code != UV_ECANCELED;
    default:
        return true;
    }
}
