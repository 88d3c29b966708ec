/*
 * The parser: one statement a line, tokens separated by blanks, the table of
 * operations is the grammar. A statement's number is its line's.
 */
#include "uva_conform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct op_info_s {
    const char *name;
    const char *kinds;
    bool callback;
} op_info_t;

static const op_info_t op_infos[OP_COUNT] = {
#define CONFORM_OP_INFO(name, kinds, callback) {#name, kinds, callback},
    CONFORM_OPS(CONFORM_OP_INFO)
#undef CONFORM_OP_INFO
};

typedef struct open_s {
    stmt_t *stmt;   /* NULL: the body itself. */
    block_t *block; /* Where the next statement goes. */
} open_t;

typedef struct parser_s {
    program_t *program;
    const char *tokens[MAX_TOKENS];
    size_t count;
    int line;
    bool callback; /* Inside a cb. */
    open_t open[MAX_DEPTH];
    size_t depth;
} parser_t;

static bool parser_fail(parser_t *parser, const char *what)
{
    if (parser->program->problem.size == 0) {
        text_add(&parser->program->problem, "line %d: %s", parser->line, what);
    }
    return false;
}

static bool parse_number(parser_t *parser, const char *token, int *ret)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(token, &end, 10);
    if (end == token || *end != '\0' || errno != 0 || value < INT32_MIN ||
        value > INT32_MAX) {
        return parser_fail(parser, "not a number");
    }
    *ret = (int)value;
    return true;
}

/* A number that is an index of a table. */
static bool parse_index(parser_t *parser, const char *token, int *ret)
{
    if (!parse_number(parser, token, ret)) {
        return false;
    }
    if (*ret < 0 || *ret >= MAX_NUMBER) {
        return parser_fail(parser, "number out of range");
    }
    return true;
}

static bool parse_ref(parser_t *parser, const char *token, ref_t *ret)
{
    if (strchr("TFGHLSECBQVX", token[0]) == NULL) {
        return parser_fail(parser, "not a reference");
    }
    ret->kind = token[0];
    return parse_index(parser, token + 1, &ret->number);
}

static bool parse_when(parser_t *parser, const char *token, int *ret)
{
    if (strcmp(token, "all") == 0) {
        *ret = UVA_ALL_COMPLETED;
    } else if (strcmp(token, "first") == 0) {
        *ret = UVA_FIRST_COMPLETED;
    } else if (strcmp(token, "exc") == 0) {
        *ret = UVA_FIRST_EXCEPTION;
    } else {
        return parser_fail(parser, "not a mode of wait");
    }
    return true;
}

static bool parse_refs(parser_t *parser, size_t from, stmt_t *stmt)
{
    stmt->ref_count = parser->count - from;
    stmt->refs =
        arena_get(&parser->program->arena, parser->count * sizeof *stmt->refs);
    for (size_t i = 0; i < stmt->ref_count; i++) {
        if (!parse_ref(parser, parser->tokens[from + i], &stmt->refs[i])) {
            return false;
        }
    }
    return true;
}

static bool
parse_arg(parser_t *parser, char kind, const char *token, arg_t *arg)
{
    switch (kind) {
    case 'd':
        if (strcmp(token, "-") == 0) {
            arg->number = -1;
            return true;
        }
        return parse_number(parser, token, &arg->number);
    case 'i':
        return parse_number(parser, token, &arg->number);
    case 'k':
        return parse_index(parser, token, &arg->number);
    case 'm':
        return parse_when(parser, token, &arg->number);
    default:
        return parse_ref(parser, token, &arg->ref);
    }
}

static bool parse_args(parser_t *parser, const char *kinds, stmt_t *stmt)
{
    size_t token = 1;

    for (size_t i = 0; kinds[i] != '\0'; i++) {
        if (kinds[i] == 'R') {
            return parse_refs(parser, token, stmt);
        }
        if (token >= parser->count) {
            return parser_fail(parser, "an argument is missing");
        }
        if (!parse_arg(parser, kinds[i], parser->tokens[token],
                       &stmt->args[i])) {
            return false;
        }
        token++;
    }
    return true;
}

static void block_append(block_t *block, stmt_t *stmt)
{
    if (block->last == NULL) {
        block->first = stmt;
    } else {
        block->last->next = stmt;
    }
    block->last = stmt;
}

static bool parser_open(parser_t *parser, stmt_t *stmt, block_t *block)
{
    if (parser->depth == MAX_DEPTH) {
        return parser_fail(parser, "too many blocks in each other");
    }
    parser->open[parser->depth++] = (open_t){stmt, block};
    return true;
}

static bool parse_statement(parser_t *parser)
{
    stmt_t *stmt = arena_get(&parser->program->arena, sizeof *stmt);
    op_t op = 0;

    while (op < OP_COUNT && strcmp(op_infos[op].name, parser->tokens[0]) != 0) {
        op++;
    }
    if (op == OP_COUNT) {
        return parser_fail(parser, "unknown statement");
    }
    if (parser->callback && !op_infos[op].callback) {
        return parser_fail(parser, "not in a callback");
    }
    stmt->op = op;
    stmt->line = parser->line;
    if (!parse_args(parser, op_infos[op].kinds, stmt)) {
        return false;
    }
    block_append(parser->open[parser->depth - 1].block, stmt);
    return op < OP_FIRST_BLOCK || parser_open(parser, stmt, &stmt->body);
}

static bool parse_catch(parser_t *parser, const char *token, catch_t *ret)
{
    static const char *const names[] = {"cancel", "timeout", "user",
                                        "group",  "exc",     "all"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], token) == 0) {
            *ret = (catch_t)i;
            return true;
        }
    }
    return parser_fail(parser, "unknown kind of exception");
}

static bool parse_except(parser_t *parser, open_t *open)
{
    handler_t *handler = arena_get(&parser->program->arena, sizeof *handler);

    if (open->stmt == NULL || open->stmt->op != OP_try || parser->count < 2) {
        return parser_fail(parser, "except out of place");
    }
    if (!parse_catch(parser, parser->tokens[1], &handler->kind)) {
        return false;
    }
    handler->line = parser->line;
    if (open->stmt->last_handler == NULL) {
        open->stmt->handlers = handler;
    } else {
        open->stmt->last_handler->next = handler;
    }
    open->stmt->last_handler = handler;
    open->block = &handler->block;
    return true;
}

static bool parse_finally(parser_t *parser, open_t *open)
{
    if (open->stmt == NULL || open->stmt->op != OP_try) {
        return parser_fail(parser, "finally out of place");
    }
    open->stmt->final =
        arena_get(&parser->program->arena, sizeof *open->stmt->final);
    open->stmt->final_line = parser->line;
    open->block = open->stmt->final;
    return true;
}

static bool parse_in_body(parser_t *parser)
{
    open_t *open = &parser->open[parser->depth - 1];

    if (strcmp(parser->tokens[0], "end") == 0) {
        parser->depth--;
        return true;
    }
    if (strcmp(parser->tokens[0], "except") == 0) {
        return parse_except(parser, open);
    }
    if (strcmp(parser->tokens[0], "finally") == 0) {
        return parse_finally(parser, open);
    }
    return parse_statement(parser);
}

/* obj NAME ... */
static bool parse_object(parser_t *parser)
{
    object_t *object = arena_get(&parser->program->arena, sizeof *object);
    const char *const *args = parser->tokens + 2;
    size_t wanted = 0;

    if (parser->count < 2 ||
        !parse_ref(parser, parser->tokens[1], &object->name)) {
        return parser_fail(parser, "an object without a name");
    }
    switch (object->name.kind) {
    case 'S':
    case 'Q':
        wanted = 2;
        break;
    case 'C':
    case 'B':
        wanted = 1;
        break;
    default:
        break;
    }
    if (parser->count != 2 + wanted) {
        return parser_fail(parser, "wrong number of arguments");
    }
    if (parser->program->last_object == NULL) {
        parser->program->objects = object;
    } else {
        parser->program->last_object->next = object;
    }
    parser->program->last_object = object;
    switch (object->name.kind) {
    case 'S':
        object->variant = args[1][0];
        return parse_number(parser, args[0], &object->value);
    case 'Q':
        object->variant = args[0][0];
        return parse_number(parser, args[1], &object->value);
    case 'B':
        return parse_number(parser, args[0], &object->value);
    case 'C':
        return strcmp(args[0], "own") == 0 ||
               parse_ref(parser, args[0], &object->lock);
    default:
        return true;
    }
}

static bool parse_body(parser_t *parser, bool callback)
{
    block_t *block = arena_get(&parser->program->arena, sizeof *block);
    int number;

    if (!parse_index(parser, parser->tokens[1], &number)) {
        return false;
    }
    parser->callback = callback;
    if (callback) {
        parser->program->callbacks[number] = block;
    } else {
        parser->program->tasks[number] = block;
    }
    return parser_open(parser, NULL, block);
}

static bool parse_head(parser_t *parser)
{
    const char *word = parser->tokens[0];
    int version;

    if (strcmp(word, "obj") == 0) {
        return parse_object(parser);
    }
    if (strcmp(word, "theme") == 0 || strcmp(word, "feat") == 0) {
        return true; /* Nothing is skipped. */
    }
    if (parser->count != 2) {
        return parser_fail(parser, "wrong number of words");
    }
    if (strcmp(word, "uvaconf") == 0) {
        return parse_number(parser, parser->tokens[1], &version) &&
               (version == 1 || parser_fail(parser, "unknown version"));
    }
    if (strcmp(word, "seed") == 0) {
        parser->program->seed = strtoll(parser->tokens[1], NULL, 10);
        return true;
    }
    if (strcmp(word, "profile") == 0) {
        parser->program->spread = strcmp(parser->tokens[1], "spread") == 0;
        return true;
    }
    if (strcmp(word, "task") == 0 || strcmp(word, "cb") == 0) {
        return parse_body(parser, word[0] == 'c');
    }
    return parser_fail(parser, "unknown word");
}

/* Cut a line into tokens, in place. */
static bool parser_split(parser_t *parser, char *line)
{
    parser->count = 0;
    for (;;) {
        line += strspn(line, " \t\r");
        if (*line == '\0') {
            return true;
        }
        if (parser->count == MAX_TOKENS) {
            return parser_fail(parser, "too many words");
        }
        parser->tokens[parser->count++] = line;
        line += strcspn(line, " \t\r");
        if (*line != '\0') {
            *line++ = '\0';
        }
    }
}

static bool parse_line(parser_t *parser, char *line)
{
    parser->line++;
    if (!parser_split(parser, line)) {
        return false;
    }
    if (parser->count == 0 || parser->tokens[0][0] == '#') {
        return true;
    }
    return parser->depth == 0 ? parse_head(parser) : parse_in_body(parser);
}

bool program_parse(program_t *program, const char *text)
{
    parser_t parser = {.program = program};
    char *copy;

    memset(program, 0, sizeof *program);
    copy = arena_get(&program->arena, strlen(text) + 1);
    memcpy(copy, text, strlen(text));
    while (*copy != '\0') {
        char *end = copy + strcspn(copy, "\n");
        bool last = *end == '\0';

        *end = '\0';
        if (!parse_line(&parser, copy)) {
            return false;
        }
        copy = last ? end : end + 1;
    }
    if (parser.depth != 0) {
        return parser_fail(&parser, "a block without its end");
    }
    return program->tasks[0] != NULL || parser_fail(&parser, "no task 0");
}

void program_clear(program_t *program)
{
    arena_clear(&program->arena);
    text_clear(&program->problem);
}
