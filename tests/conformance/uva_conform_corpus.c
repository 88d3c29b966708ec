/*
 * Recorded programs: each is run and its trace compared, whole, or for the
 * profile spread the lines of each task in order. Nothing is skipped.
 */
#include "uva_conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program_mark[] = "%% program\n";
static const char trace_mark[] = "%% trace\n";

typedef struct line_s {
    const char *text;
    size_t size;
    const char *who;
    size_t who_size;
    size_t index;
} line_t;

typedef struct lines_s {
    line_t *lines; /* Owned. */
    size_t count;
} lines_t;

typedef struct corpus_s {
    const char *name;
    kind_t kind;
    size_t programs;
    size_t equal;
    text_t program;
    text_t trace;
    text_t *current; /* Where lines go; NULL before the first mark. */
    bool traced;     /* The program has a trace. */
} corpus_t;

/* --- traces as lines --- */

static lines_t lines_of(const text_t *text)
{
    lines_t lines = {calloc(text->size + 1, sizeof(line_t)), 0};
    const char *at = text->data;
    const char *end = at + text->size;

    if (lines.lines == NULL) {
        refuse("out of memory");
    }
    while (at < end) {
        line_t *line = &lines.lines[lines.count];
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        stop = stop == NULL ? end : stop;
        *line = (line_t){at, (size_t)(stop - at), at, 0, lines.count};
        line->who = memchr(at, ' ', line->size);
        line->who = line->who == NULL ? at : line->who + 1;
        while (line->who + line->who_size < stop &&
               line->who[line->who_size] != ' ') {
            line->who_size++;
        }
        lines.count++;
        at = stop + 1;
    }
    return lines;
}

/* By who wrote the line, then by place. */
static int line_compare(const void *a, const void *b)
{
    const line_t *x = a;
    const line_t *y = b;
    size_t size = x->who_size < y->who_size ? x->who_size : y->who_size;
    int r = memcmp(x->who, y->who, size);

    if (r == 0 && x->who_size != y->who_size) {
        r = x->who_size < y->who_size ? -1 : 1;
    }
    return r != 0 ? r : (x->index > y->index) - (x->index < y->index);
}

static bool line_equal(const lines_t *a, const lines_t *b, size_t index)
{
    if (index >= a->count || index >= b->count) {
        return false;
    }
    return a->lines[index].size == b->lines[index].size &&
           memcmp(a->lines[index].text, b->lines[index].text,
                  a->lines[index].size) == 0;
}

static void print_line(const char *title, const lines_t *lines, size_t index)
{
    if (index < lines->count) {
        printf("    %s %.*s\n", title, (int)lines->lines[index].size,
               lines->lines[index].text);
    } else {
        printf("    %s nothing\n", title);
    }
}

/* Says where they differ. */
static bool traces_equal(const text_t *want, const text_t *got, bool spread)
{
    lines_t a = lines_of(want);
    lines_t b = lines_of(got);
    size_t count = a.count > b.count ? a.count : b.count;
    size_t at = 0;

    if (spread) {
        qsort(a.lines, a.count, sizeof(line_t), line_compare);
        qsort(b.lines, b.count, sizeof(line_t), line_compare);
    }
    while (at < count && line_equal(&a, &b, at)) {
        at++;
    }
    if (at < count) {
        print_line("want", &a, at);
        print_line("got ", &b, at);
    }
    free(a.lines);
    free(b.lines);
    return at == count;
}

/* --- programs --- */

static void corpus_check(corpus_t *corpus, const program_t *program)
{
    static machine_t machine;
    bool equal;

    machine_run(&machine, program, corpus->kind);
    equal = traces_equal(&corpus->trace, &machine.trace, program->spread);
    if (machine.complaints.size > 0) {
        printf("    %s", machine.complaints.data);
        equal = false;
    }
    if (!equal) {
        printf("%s: seed %lld differs\n", corpus->name, program->seed);
    }
    corpus->equal += equal;
    machine_clear(&machine);
}

/* The program that was collected. */
static void corpus_finish(corpus_t *corpus)
{
    program_t program;

    if (corpus->current == NULL) {
        return;
    }
    if (!program_parse(&program, corpus->program.data)) {
        refuse("%s, program %zu: %s", corpus->name, corpus->programs + 1,
               program.problem.data);
    }
    if (!corpus->traced) {
        refuse("%s: seed %lld has no trace", corpus->name, program.seed);
    }
    corpus->programs++;
    corpus_check(corpus, &program);
    program_clear(&program);
}

static void corpus_line(corpus_t *corpus, const char *line, size_t size)
{
    if (strcmp(line, program_mark) == 0) {
        corpus_finish(corpus);
        corpus->program.size = 0;
        corpus->trace.size = 0;
        text_add(&corpus->program, "%s", "");
        text_add(&corpus->trace, "%s", "");
        corpus->current = &corpus->program;
        corpus->traced = false;
    } else if (strcmp(line, trace_mark) == 0 && corpus->current != NULL) {
        corpus->current = &corpus->trace;
        corpus->traced = true;
    } else if (corpus->current != NULL) {
        text_add_bytes(corpus->current, line, size);
    } else {
        refuse("%s: neither a corpus nor a program", corpus->name);
    }
}

/* A program alone: its trace is the output. */
static int
program_print(FILE *file, const char *name, const char *first, kind_t kind)
{
    static machine_t machine;
    program_t program;
    text_t text = {0};
    char buffer[4096];
    size_t size;
    bool clean;

    text_add(&text, "%s", first);
    while ((size = fread(buffer, 1, sizeof buffer, file)) > 0) {
        text_add_bytes(&text, buffer, size);
    }
    if (!program_parse(&program, text.data)) {
        refuse("%s: %s", name, program.problem.data);
    }
    machine_run(&machine, &program, kind);
    (void)fwrite(machine.trace.data, 1, machine.trace.size, stdout);
    clean = machine.complaints.size == 0;
    if (!clean) {
        fputs(machine.complaints.data, stderr);
    }
    machine_clear(&machine);
    program_clear(&program);
    text_clear(&text);
    return clean ? 0 : 1;
}

int corpus_run(void *stream, const char *name, kind_t kind)
{
    corpus_t corpus = {.name = name, .kind = kind};
    FILE *file = stream;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size = getline(&line, &capacity, file);
    int status;

    if (size <= 0) {
        free(line);
        refuse("%s is empty", name);
    }
    if (strcmp(line, program_mark) != 0) {
        status = program_print(file, name, line, kind);
        free(line);
        return status;
    }
    for (; size > 0; size = getline(&line, &capacity, file)) {
        corpus_line(&corpus, line, (size_t)size);
    }
    free(line);
    if (ferror(file)) {
        refuse("cannot read %s", name);
    }
    corpus_finish(&corpus);
    text_clear(&corpus.program);
    text_clear(&corpus.trace);
    printf("%zu of %zu equal\n", corpus.equal, corpus.programs);
    return corpus.equal == corpus.programs ? 0 : 1;
}
