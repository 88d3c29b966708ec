/*
 * StreamReader fed by hand: CPython's tests of it, and what C adds. Most run
 * with tasks of both kinds.
 */
#include "kinds.h"

#include <stdio.h>
#include <string.h>

#include "streams/streams.h"

#define DATA "line1\nline2\nline3\n"

/* --- one read in a task --- */

typedef enum read_op_e {
    READ,
    READ_VIEW,
    READ_ALL,
    READLINE,
    READLINE_VIEW,
    READEXACTLY,
    READUNTIL,
    READUNTIL_VIEW
} read_op_t;

/* What is asked, and what came. */
typedef struct asked_s {
    read_op_t op;
    uva_reader_t *reader;
    size_t size;
    const uva_bytes_t *separators;
    size_t count;
    int r;
    char bytes[256];
    size_t partial;
    uva_buffer_t buffer;
    uva_bytes_t view;
} asked_t;

KIND_TASK(int, reading, asked_t *asked; int r;)
{
    asked_t *asked = self->asked;

    UVA_BEGIN
    if (asked->op == READ) {
        AWAIT(self->r, uva_reader_read, self->asked->reader, self->asked->bytes,
              self->asked->size);
    } else if (asked->op == READ_VIEW) {
        AWAIT(self->r, uva_reader_read_view, self->asked->reader,
              self->asked->size, &self->asked->view);
    } else if (asked->op == READ_ALL) {
        AWAIT(self->r, uva_reader_read_all, self->asked->reader,
              self->asked->size, &self->asked->buffer);
    } else if (asked->op == READLINE) {
        AWAIT(self->r, uva_reader_readline, self->asked->reader,
              &self->asked->buffer);
    } else if (asked->op == READLINE_VIEW) {
        AWAIT(self->r, uva_reader_readline_view, self->asked->reader,
              &self->asked->view);
    } else if (asked->op == READEXACTLY) {
        AWAIT(self->r, uva_reader_readexactly, self->asked->reader,
              self->asked->bytes, self->asked->size, &self->asked->partial);
    } else if (asked->op == READUNTIL) {
        AWAIT(self->r, uva_reader_readuntil, self->asked->reader,
              self->asked->separators[0], &self->asked->buffer);
    } else {
        AWAIT(self->r, uva_reader_readuntil_view, self->asked->reader,
              self->asked->separators, self->asked->count, &self->asked->view);
    }
    self->asked->r = self->r;
    UVA_END
    return self->r == UV_ECANCELED ? self->r : 0;
}

static reading_task_t *ask(asked_t *asked)
{
    return KIND_SPAWN(reading, asked);
}

static int await(asked_t *asked)
{
    UVA_IGNORE(UVA_JOIN(ask(asked)));
    return asked->r;
}

static uva_bytes_t result(const asked_t *asked)
{
    switch (asked->op) {
    case READ_VIEW:
    case READLINE_VIEW:
    case READUNTIL_VIEW:
        return asked->view;
    case READ:
        return uva_bytes(asked->bytes, asked->r < 0 ? 0 : (size_t)asked->r);
    case READEXACTLY:
        return uva_bytes(asked->bytes,
                         asked->r < 0 ? asked->partial : (size_t)asked->r);
    default:
        return uva_bytes(asked->buffer.data, asked->buffer.size);
    }
}

static void ck_bytes(uva_bytes_t bytes, const char *text)
{
    ck_assert_uint_eq(bytes.size, strlen(text));
    ck_assert_int_eq(memcmp(bytes.data, text, bytes.size), 0);
}

/* What is left in a reader. */
static void ck_left(const uva_reader_t *reader, const char *text)
{
    ck_assert_uint_eq(reader->in.size, strlen(text));
    if (text[0] != '\0') {
        ck_assert_int_eq(memcmp(reader->in.data, text, strlen(text)), 0);
    }
}

/* Await a read that succeeds with a text. */
static void ck_reads(asked_t asked, const char *text)
{
    ck_assert_int_eq(await(&asked), (int)strlen(text));
    if (asked.r > 0) {
        ck_bytes(result(&asked), text);
    }
    uva_buffer_clear(&asked.buffer);
}

#define CK_READS(text, ...) \
    ck_reads((asked_t){.reader = reader, __VA_ARGS__}, text)

#define FAILS(...) await(&(asked_t){.reader = reader, __VA_ARGS__})

static uva_reader_t *reader_with(size_t limit)
{
    uva_reader_t *reader;

    ck_assert_int_eq(uva_reader_new(limit, &reader), 0);
    return reader;
}

static void feed(uva_reader_t *reader, const char *text)
{
    ck_assert_int_eq(uva_reader_feed_data(reader, text, strlen(text)), 0);
}

/* --- reads, step by step --- */

/* What is done to a reader, and what comes of it. */
typedef enum act_e {
    NO_STEP,
    FEEDS,
    ENDS,
    BREAKS,  /* With a failure. */
    GETS,    /* A whole read. */
    ASKS,    /* A read that waits, */
    WAITS,   /* still waits, */
    ANSWERS, /* and ends. */
    IS_LEFT,
    HAS_CONSUMED,
    IS_AT_EOF,
    IS_BROKEN
} act_t;

typedef struct step_s {
    act_t act;
    read_op_t op;
    size_t size;
    const char *separators[2];
    const char *text;
    int code;
} step_t;

/* clang-format off */
#define FEED(fed)              {.act = FEEDS, .text = (fed)}
#define FEED_IS(result, fed)   {.act = FEEDS, .text = (fed), .code = (result)}
#define END                    {.act = ENDS}
#define BREAK(failure)         {.act = BREAKS, .code = (failure)}
#define GET(how, most, read)   \
    {.act = GETS, .op = (how), .size = (most), .text = (read)}
#define FAIL(how, most, failure) \
    {.act = GETS, .op = (how), .size = (most), .code = (failure)}
#define UNTIL(result, read, ...) \
    {.act = GETS, .op = READUNTIL, .text = (read), .code = (result), \
     .separators = {__VA_ARGS__}}
#define ASK(how, most)         {.act = ASKS, .op = (how), .size = (most)}
#define ASK_UNTIL(...) \
    {.act = ASKS, .op = READUNTIL, .separators = {__VA_ARGS__}}
#define STILL_WAITS            {.act = WAITS}
#define ANSWER(read)           {.act = ANSWERS, .text = (read)}
#define ANSWER_IS(result, read) \
    {.act = ANSWERS, .text = (read), .code = (result)}
#define LEFT(bytes)            {.act = IS_LEFT, .text = (bytes)}
#define CONSUMED(bytes)        {.act = HAS_CONSUMED, .size = (bytes)}
#define AT_EOF(is)             {.act = IS_AT_EOF, .code = (is)}
#define BROKEN(failure)        {.act = IS_BROKEN, .code = (failure)}
/* clang-format on */

static const struct {
    const char *name;
    size_t limit;
    step_t steps[10];
} reads[] = {
    {"read_all_limit", .limit = 4,
     .steps = {ASK(READ_ALL, 10), FEED("0123456789"), STILL_WAITS, FEED("a"),
               ANSWER_IS(UVA_ELIMITOVERRUN, NULL), LEFT("0123456789a"), END,
               GET(READ, 2, "01"), GET(READ_ALL, 10, "23456789a")}},
    /* asyncio: the part lies in the buffer until readexactly goes on, */
    {"at_eof_with_a_part",
     .steps = {ASK(READEXACTLY, 6), FEED("abc"), END, AT_EOF(false),
               ANSWER_IS(UVA_EINCOMPLETEREAD, "abc"), AT_EOF(true)}},
    /* and is not taken when that fails. */
    {"exception_leaves_a_part",
     .steps = {ASK(READEXACTLY, 6), FEED("abc"), BREAK(UV_EIO),
               ANSWER_IS(UV_EIO, NULL), LEFT("abc")}},
    /* test_streams.py, StreamTests: rows */
    {"feed_empty_data", .steps = {FEED(""), LEFT("")}},
    {"feed_nonempty_data", .steps = {FEED(DATA), LEFT(DATA)}},
    {"read_zero", .steps = {FEED(DATA), GET(READ, 0, ""), LEFT(DATA)}},
    {"read", .steps = {ASK(READ, 30), FEED(DATA), ANSWER(DATA), LEFT("")}},
    {"read_line_breaks", .steps = {FEED("line1"), FEED("line2"),
                                   GET(READ, 5, "line1"), LEFT("line2")}},
    {"read_eof",
     .steps = {ASK(READ, 30), END, ANSWER(""), FEED_IS(UV_EPERM, "x")}},
    {"read_until_eof", .steps = {ASK(READ_ALL, UVA_NO_LIMIT), FEED("chunk1\n"),
                                 FEED("chunk2"), END, ANSWER("chunk1\nchunk2"),
                                 LEFT(""), GET(READ_ALL, UVA_NO_LIMIT, "")}},
    {"read_exception",
     .steps = {FEED("line\n"), GET(READ, 2, "li"), BREAK(UV_EINVAL),
               FAIL(READ, 2, UV_EINVAL), FAIL(READ_ALL, 2, UV_EINVAL)}},
    {"read_limit", .limit = 3,
     .steps = {FEED("chunk"), GET(READ, 5, "chunk"), LEFT("")}},
    {"readline", .steps = {FEED("chunk1 "), ASK(READLINE, 0), FEED("chunk2 "),
                           FEED("chunk3 "), FEED("\n chunk4"),
                           ANSWER("chunk1 chunk2 chunk3 \n"), LEFT(" chunk4")}},
    {"readline_limit_with_existing_data", .limit = 3,
     .steps = {FEED("li"), FEED("ne1\nline2\n"),
               FAIL(READLINE, 0, UVA_ELIMITOVERRUN), LEFT("line2\n")}},
    {"readline_limit_with_existing_data", .limit = 3,
     .steps = {FEED("li"), FEED("ne1"), FEED("li"),
               FAIL(READLINE, 0, UVA_ELIMITOVERRUN), LEFT("")}},
    {"at_eof", .steps = {AT_EOF(false), FEED("some data\n"), AT_EOF(false),
                         GET(READLINE, 0, "some data\n"), AT_EOF(false),
                         FEED("some data\n"), END, AT_EOF(false),
                         GET(READLINE, 0, "some data\n"), AT_EOF(true)}},
    {"readline_limit", .limit = 7,
     .steps = {ASK(READLINE, 0), FEED("chunk1"), FEED("chunk2"),
               FEED("chunk3\n"), END, ANSWER_IS(UVA_ELIMITOVERRUN, NULL),
               LEFT("")}},
    {"readline_limit", .limit = 7,
     .steps = {ASK(READLINE, 0), FEED("chunk1"), FEED("chunk2\n"),
               FEED("chunk3\n"), END, ANSWER_IS(UVA_ELIMITOVERRUN, NULL),
               LEFT("chunk3\n")}},
    {"readline_limit", .limit = 7,
     .steps = {FEED("1234567\n"), GET(READLINE, 0, "1234567\n"), LEFT(""),
               FEED("12345678\n"), FAIL(READLINE, 0, UVA_ELIMITOVERRUN),
               LEFT(""), FEED("12345678"), FAIL(READLINE, 0, UVA_ELIMITOVERRUN),
               LEFT("")}},
    {"readline_nolimit_nowait",
     .steps = {FEED("line1\n"), FEED("line2\nline3\n"),
               GET(READLINE, 0, "line1\n"), LEFT("line2\nline3\n")}},
    {"readline_eof",
     .steps = {FEED("some data"), END, GET(READLINE, 0, "some data")}},
    {"readline_empty_eof", .steps = {END, GET(READLINE, 0, "")}},
    {"readline_read_byte_count",
     .steps = {FEED(DATA), GET(READLINE, 0, "line1\n"),
               GET(READ, 7, "line2\nl"), LEFT("ine3\n")}},
    {"readline_exception",
     .steps = {FEED("line\n"), GET(READLINE, 0, "line\n"), BREAK(UV_EINVAL),
               FAIL(READLINE, 0, UV_EINVAL), LEFT("")}},
    {"readuntil_multi_chunks",
     .steps = {FEED("lineAAA"), UNTIL(0, "lineAAA", "AAA"), LEFT(""),
               FEED("lineAAAxxx"), UNTIL(0, "lineAAA", "AAA"), LEFT("xxx")}},
    {"readuntil_eof",
     .steps = {FEED("some dataAA"), END,
               UNTIL(UVA_EINCOMPLETEREAD, "some dataAA", "AAA"), LEFT("")}},
    {"readuntil_limit_found_sep", .limit = 3,
     .steps = {FEED("some dataAA"), UNTIL(UVA_ELIMITOVERRUN, NULL, "AAA"),
               CONSUMED(9), LEFT("some dataAA"), FEED("A"),
               UNTIL(UVA_ELIMITOVERRUN, NULL, "AAA"), CONSUMED(9),
               LEFT("some dataAAA")}},
    {"readuntil_multi_separator",
     .steps = {FEED("line 1\nline 2\r"), UNTIL(0, "line 1\n", "\r", "\n"),
               UNTIL(0, "line 2\r", "\r", "\n"), LEFT(""),
               /* The first end wins, even of a longer separator. */
               FEED("ABCDEFG"), UNTIL(0, "ABCDE", "DEF", "BCDE"), LEFT("FG")}},
    {"readuntil_multi_separator_limit", .limit = 3,
     .steps = {FEED("some dataA"),
               UNTIL(UVA_ELIMITOVERRUN, NULL, "A", "ome dataA"), CONSUMED(9),
               LEFT("some dataA")}},
    {"readuntil_multi_separator_negative_offset",
     .steps = {FEED("data"), ASK_UNTIL("A", "long sep"), FEED("Z"),
               FEED("Aaaa"), ANSWER("dataZA"), LEFT("aaa")}},
    {"readuntil_bytearray",
     .steps = {FEED("some data\r\n"), UNTIL(0, "some data\r\n", "\r\n"),
               LEFT("")}},
    {"readexactly_zero_or_less",
     .steps = {FEED(DATA), GET(READEXACTLY, 0, ""), LEFT(DATA)}},
    {"readexactly",
     .steps = {ASK(READEXACTLY, 2 * sizeof DATA - 2), FEED(DATA), STILL_WAITS,
               FEED(DATA), FEED(DATA), ANSWER(DATA DATA), LEFT(DATA)}},
    {"readexactly_limit", .limit = 3,
     .steps = {FEED("chunk"), GET(READEXACTLY, 5, "chunk"), LEFT("")}},
    {"readexactly_eof",
     .steps = {ASK(READEXACTLY, 2 * sizeof DATA - 2), FEED(DATA), END,
               ANSWER_IS(UVA_EINCOMPLETEREAD, DATA), LEFT("")}},
    {"readexactly_eof",
     .steps = {FEED("abc"), END, ASK(READEXACTLY, 2 * sizeof DATA - 2),
               ANSWER_IS(UVA_EINCOMPLETEREAD, "abc")}},
    {"readexactly_exception",
     .steps = {FEED("line\n"), GET(READEXACTLY, 2, "li"), BREAK(UV_EINVAL),
               FAIL(READEXACTLY, 2, UV_EINVAL)}},
    {"exception", .steps = {BROKEN(0), BREAK(UV_EINVAL), BROKEN(UV_EINVAL)}},
};

static void ck_answer(asked_t *asked, const step_t *step)
{
    int size = step->text != NULL ? (int)strlen(step->text) : 0;

    ck_assert_int_eq(asked->r, step->code < 0 ? step->code : size);
    if (size > 0) {
        ck_bytes(result(asked), step->text);
    }
    if (asked->buffer.data != NULL) {
        ck_assert_int_eq(asked->buffer.data[asked->buffer.size], 0);
    }
    uva_buffer_clear(&asked->buffer);
}

/* The read of a step, or the one that gives a view in its place. */
static asked_t asked_by(uva_reader_t *reader, const step_t *step, bool view)
{
    static uva_bytes_t separators[2];
    asked_t asked = {.op = step->op,
                     .reader = reader,
                     .size = step->size,
                     .separators = separators};

    while (asked.count < 2 && step->separators[asked.count] != NULL) {
        const char *text = step->separators[asked.count];

        separators[asked.count++] = uva_bytes(text, strlen(text));
    }
    if (asked.op == READ || asked.op == READLINE || asked.op == READUNTIL) {
        asked.op += view || (asked.op == READUNTIL && asked.count > 1);
    }
    return asked;
}

static void take_step(uva_reader_t *reader, const step_t *step, bool view)
{
    static asked_t asked;
    static reading_task_t *task;
    asked_t now;

    switch (step->act) {
    case NO_STEP:
        break;
    case FEEDS:
        ck_assert_int_eq(
            uva_reader_feed_data(reader, step->text, strlen(step->text)),
            step->code);
        break;
    case ENDS:
        uva_reader_feed_eof(reader);
        break;
    case BREAKS:
        uva_reader_set_exception(reader, step->code);
        break;
    case GETS:
        now = asked_by(reader, step, view);
        (void)await(&now);
        ck_answer(&now, step);
        break;
    case ASKS:
        asked = asked_by(reader, step, view);
        task = ask(&asked);
        UVA_TICK();
        break;
    case WAITS:
        UVA_TICK();
        UVA_TICK();
        ck_assert(!UVA_DONE(task));
        break;
    case ANSWERS:
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_answer(&asked, step);
        break;
    case IS_LEFT:
        ck_left(reader, step->text);
        break;
    case HAS_CONSUMED:
        ck_assert_uint_eq(uva_reader_consumed(reader), step->size);
        break;
    case IS_AT_EOF:
        ck_assert_int_eq(uva_reader_at_eof(reader), step->code);
        break;
    case IS_BROKEN:
        ck_assert_int_eq(uva_reader_exception(reader), step->code);
        break;
    }
}

/* Each row runs with the reads that copy, and with those that give views. */
UVA_TEST(read_by_steps)
{
    for (int view = 0; view < 2; view++) {
        uva_reader_t *reader = reader_with(UVA_ROW(reads)->limit);

        for (size_t i = 0; i < 10; i++) {
            take_step(reader, &UVA_ROW(reads)->steps[i], view);
        }
        uva_reader_unref(reader);
    }
}

/* --- larger ones --- */

UVA_TEST(read_all_large)
{
    /* Larger than any block: it grows, and becomes the result. */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READ_ALL, .reader = reader, .size = UVA_NO_LIMIT};
    reading_task_t *task = ask(&asked);
    char block[1000];

    UVA_TICK();
    for (int i = 0; i < 1000; i++) {
        memset(block, 'a' + i % 26, sizeof block);
        ck_assert_int_eq(uva_reader_feed_data(reader, block, sizeof block), 0);
    }
    uva_reader_feed_eof(reader);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(asked.buffer.size, 1000000);
    for (size_t i = 0; i < 1000000; i++) {
        ck_assert_int_eq(asked.buffer.data[i], 'a' + (int)(i / 1000) % 26);
    }
    ck_assert_int_eq(asked.buffer.data[1000000], 0);
    uva_buffer_clear(&asked.buffer);
    uva_reader_unref(reader);
}

UVA_TEST(invalid_limit)
{
    /* test_streams.py, StreamTests.test_invalid_limit; 0 is the default. */
    uva_reader_t *reader = NULL;

    ck_assert_int_eq(uva_reader_new(SIZE_MAX, &reader), UV_EINVAL);
    ck_assert_int_eq(uva_reader_new(((size_t)1 << 30) + 1, &reader), UV_EINVAL);
    ck_assert_ptr_null(reader);
    ck_assert_int_eq(uva_reader_new((size_t)1 << 30, &reader), 0);
    uva_reader_unref(reader);
    ck_assert_ptr_null(uva_reader_unref(NULL));
}

/* --- views --- */

UVA_TEST(view_stays)
{
    /* A view stays as it is while more comes, whatever that needs. */
    uva_reader_t *reader = reader_with(0);
    static char more[5000];
    uva_bytes_t view;
    uva_bytes_t next;

    memset(more, 'x', sizeof more);
    feed(reader, "first second");
    ck_assert_int_eq(uva_reader_read_view(reader, 5, &view), 5);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(uva_reader_feed_data(reader, more, sizeof more), 0);
        ck_bytes(view, "first");
    }
    ck_assert_int_eq(uva_reader_read_view(reader, 7, &next), 7);
    ck_bytes(next, " second");
    ck_assert_uint_eq(reader->in.size, 500000);
    uva_reader_unref(reader);
}

UVA_TEST(view_of_nothing_left_holds_no_memory)
{
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READ_VIEW, .reader = reader, .size = 100};
    reading_task_t *task;

    feed(reader, "once");
    CK_READS("once", .op = READ_VIEW, .size = 100);
    ck_assert_ptr_nonnull(reader->in.block);
    task = ask(&asked);
    UVA_TICK();
    ck_assert_ptr_null(reader->in.block);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    uva_reader_unref(reader);
}

/* --- readuntil --- */

#define SEPARATORS(...)                               \
    .separators = (const uva_bytes_t[]){__VA_ARGS__}, \
    .count = sizeof((const uva_bytes_t[]){__VA_ARGS__}) / sizeof(uva_bytes_t)

UVA_TEST(readuntil_separator)
{
    /* test_streams.py, StreamTests.test_readuntil_separator */
    uva_reader_t *reader = reader_with(0);
    uva_bytes_t none = UVA_BYTES("");

    feed(reader, "x");
    ck_assert_int_eq(FAILS(.op = READUNTIL, .separators = &none, .count = 1),
                     UV_EINVAL);
    ck_assert_int_eq(
        FAILS(.op = READUNTIL_VIEW, .separators = &none, .count = 1),
        UV_EINVAL);
    ck_assert_int_eq(
        FAILS(.op = READUNTIL_VIEW, .separators = &none, .count = 0),
        UV_EINVAL);
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_multi_chunks_1)
{
    /* test_streams.py, StreamTests.test_readuntil_multi_chunks_1 */
    static const char *const chunks[][5] = {
        {"QWEaa", "XYaa", "a", NULL},
        {"QWEaa", "XYa", "aa", NULL},
        {"aaa", NULL},
        {"Xaaa", NULL},
        {"XXX", "a", "a", "a", NULL},
    };
    static const char *const expected[] = {"QWEaaXYaaa", "QWEaaXYaaa", "aaa",
                                           "Xaaa", "XXXaaa"};
    uva_bytes_t separator = UVA_BYTES("aaa");
    uva_reader_t *reader = reader_with(0);

    for (size_t i = 0; i < 5; i++) {
        asked_t asked = {.op = READUNTIL,
                         .reader = reader,
                         .separators = &separator,
                         .count = 1};
        reading_task_t *task;

        for (size_t j = 0; chunks[i][j] != NULL; j++) {
            feed(reader, chunks[i][j]);
        }
        CK_READS(expected[i], .op = READUNTIL, SEPARATORS(UVA_BYTES("aaa")));
        ck_left(reader, "");

        /* The same when each chunk comes by itself. */
        task = ask(&asked);
        UVA_TICK();
        for (size_t j = 0; chunks[i][j] != NULL; j++) {
            ck_assert(!UVA_DONE(task));
            feed(reader, chunks[i][j]);
            UVA_TICK();
        }
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&asked), expected[i]);
        uva_buffer_clear(&asked.buffer);
    }
    uva_reader_unref(reader);
}

/* --- exceptions, cancellation, misuse --- */

UVA_TEST(exception_waiter)
{
    /* test_streams.py, StreamTests.test_exception_waiter */
    uva_bytes_t separator = UVA_BYTES("!");

    for (int op = READ; op <= READUNTIL_VIEW; op++) {
        uva_reader_t *reader = reader_with(0);
        asked_t asked = {.op = (read_op_t)op,
                         .reader = reader,
                         .size = 30,
                         .separators = &separator,
                         .count = 1};
        reading_task_t *task = ask(&asked);

        UVA_TICK();
        uva_reader_set_exception(reader, UV_EINVAL);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_assert_int_eq(asked.r, UV_EINVAL);
        uva_reader_unref(reader);
    }
}

UVA_TEST(exception_cancel)
{
    /* test_streams.py, StreamTests.test_exception_cancel */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READLINE, .reader = reader};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    uva_task_cancel(UVA_ERASE(task));
    UVA_TICK();
    uva_reader_set_exception(reader, UV_EINVAL);
    UVA_TICK();
    ck_assert_ptr_null(reader->in.waiter);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    uva_reader_unref(reader);
}

UVA_TEST(cancel_leaves_data)
{
    /* Whatever has come when a read is cancelled is there for the next one:
     * before the wake-up, between it and the step, and for each read. */
    uva_bytes_t separator = UVA_BYTES("!");

    for (int op = READ; op <= READUNTIL_VIEW; op++) {
        for (int when = 0; when < 3; when++) {
            uva_reader_t *reader = reader_with(0);
            asked_t asked = {.op = (read_op_t)op,
                             .reader = reader,
                             .size = 30,
                             .separators = &separator,
                             .count = 1};
            reading_task_t *task = ask(&asked);

            UVA_TICK();
            if (when > 0) {
                feed(reader, "some");
                feed(reader, " data");
            }
            if (when > 1) {
                uva_task_cancel(UVA_ERASE(task));
                feed(reader, "\n!");
            } else {
                uva_task_cancel(UVA_ERASE(task));
            }
            ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
            ck_left(reader, when == 0   ? ""
                            : when == 1 ? "some data"
                                        : "some data\n!");
            ck_assert_ptr_null(reader->in.waiter);
            uva_reader_unref(reader);
        }
    }
}

UVA_TEST(second_reader)
{
    /* asyncio: called while another coroutine is already waiting. */
    uva_bytes_t separator = UVA_BYTES("!");
    uva_reader_t *reader = reader_with(0);
    asked_t first = {.op = READEXACTLY, .reader = reader, .size = 6};
    reading_task_t *task = ask(&first);

    UVA_TICK();
    for (int op = READ; op <= READUNTIL_VIEW; op++) {
        ck_assert_int_eq(FAILS(.op = (read_op_t)op, .size = 30,
                               .separators = &separator, .count = 1),
                         UV_EPERM);
    }
    feed(reader, "abc");
    for (int op = READ_ALL; op <= READUNTIL_VIEW; op++) {
        ck_assert_int_eq(FAILS(.op = (read_op_t)op, .size = 30,
                               .separators = &separator, .count = 1),
                         UV_EPERM);
    }
    feed(reader, "def");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_bytes(result(&first), "abcdef");
    uva_reader_unref(reader);
}

UVA_TEST(second_reader_takes_what_is_there)
{
    /* As in asyncio: one that need not wait is no second one, and the first
     * goes on with what comes later. */
    uva_bytes_t separators[] = {UVA_BYTES("3"), UVA_BYTES("!")};

    for (int op = READ_ALL; op <= READUNTIL_VIEW; op++) {
        uva_reader_t *reader = reader_with(0);
        asked_t first = {.op = (read_op_t)op,
                         .reader = reader,
                         .size = op == READ_ALL ? 100 : 6,
                         .separators = &separators[1],
                         .count = 1};
        reading_task_t *task = ask(&first);
        UVA_TICK();
        feed(reader, op == READEXACTLY ? "01234" : "0123456789");
        UVA_TICK();
        CK_READS("0", .op = READ, .size = 1);
        CK_READS("1", .op = READEXACTLY, .size = 1);
        CK_READS("23", .op = READUNTIL, .separators = separators, .count = 1);
        ck_assert_int_eq(FAILS(.op = READLINE), UV_EPERM);
        CK_READS("4", .op = READ_VIEW, .size = 1);
        ck_left(reader, op == READEXACTLY ? "" : "56789");
        feed(reader, "abcdef!\n");
        uva_reader_feed_eof(reader);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&first), op == READEXACTLY ? "abcdef"
                                 : op >= READUNTIL ? "56789abcdef!"
                                                   : "56789abcdef!\n");
        uva_buffer_clear(&first.buffer);
        uva_reader_unref(reader);
    }
}

UVA_TEST(second_reader_takes_what_was_searched)
{
    /* Bytes that readuntil has looked at are gone when it looks again. */
    uva_bytes_t separator = UVA_BYTES("\n");
    read_op_t ops[] = {READLINE, READLINE_VIEW, READUNTIL, READUNTIL_VIEW};
    read_op_t takers[] = {READ, READ_VIEW};

    for (size_t i = 0; i < 8; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t first = {.op = ops[i / 2],
                         .reader = reader,
                         .separators = &separator,
                         .count = 1};
        reading_task_t *task = ask(&first);
        feed(reader, "0123456789");
        UVA_TICK();
        CK_READS("0123456789", .op = takers[i % 2], .size = 100);
        feed(reader, "ab\n");
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&first), "ab\n");
        uva_buffer_clear(&first.buffer);
        ck_left(reader, "");
        uva_reader_unref(reader);
    }
}

UVA_TEST(second_reader_overruns)
{
    /* What it is told of stays apart from what the first has searched. */
    uva_bytes_t separators[] = {UVA_BYTES("!"), UVA_BYTES("\n")};
    uva_reader_t *reader = reader_with(4);
    asked_t first = {
        .op = READUNTIL, .reader = reader, .separators = separators};
    reading_task_t *task = ask(&first);
    uva_buffer_t buffer;

    feed(reader, "abcd");
    UVA_TICK();
    feed(reader, "!ef\n");
    ck_assert_int_eq(uva_reader_readuntil(reader, separators[1], &buffer),
                     UVA_ELIMITOVERRUN);
    ck_assert_uint_eq(uva_reader_consumed(reader), 7);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_bytes(result(&first), "abcd!");
    uva_buffer_clear(&first.buffer);
    uva_reader_unref(reader);
}

UVA_TEST(second_reader_comes_before_the_first_goes_on)
{
    /* The first was woken for what the second takes: it waits for more. In
     * asyncio its read is empty then, as at the end. */
    read_op_t ops[] = {READ, READ_VIEW, READLINE, READLINE_VIEW, READEXACTLY};

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t first = {.op = ops[i], .reader = reader, .size = 3};
        reading_task_t *task = ask(&first);
        char bytes[8];
        UVA_TICK();
        feed(reader, "ab\n");
        ck_assert_int_eq(uva_reader_read(reader, bytes, 8), 3);
        UVA_TICK();
        ck_assert(!UVA_DONE(task));
        feed(reader, "cd\n");
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&first), "cd\n");
        uva_buffer_clear(&first.buffer);
        uva_reader_unref(reader);
    }
}

static void read_without_task(void *data)
{
    uva_reader_t *reader = data;
    uva_bytes_t view;
    char bytes[8];
    size_t partial;

    ck_assert_int_eq(uva_reader_read(reader, bytes, 8), UVA_ENOTASK);
    ck_assert_int_eq(uva_reader_readexactly_poll(reader, bytes, 8, &partial),
                     UVA_ENOTASK);
    ck_left(reader, "xy");
    ck_assert_int_eq(uva_reader_readline_view_poll(reader, &view), UVA_ENOTASK);
    /* What needs no waiting needs no task. */
    ck_assert_int_eq(uva_reader_read_view_poll(reader, 8, &view), 2);
    ck_assert_int_eq(uva_reader_read_view_poll(reader, 8, &view), UVA_ENOTASK);
}

UVA_TEST(no_task)
{
    uva_reader_t *reader = reader_with(0);

    feed(reader, "xy");
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, read_without_task, reader, NULL, NULL), 0);
    UVA_TICK();
    ck_left(reader, "");
    uva_reader_unref(reader);
}

START_TEST(no_loop)
{
    uva_reader_t *reader;

    ck_assert_int_eq(uva_reader_new(0, &reader), UVA_ENOLOOP);
}
END_TEST

UVA_TEST(many_lines)
{
    /* No memory is taken for a line beyond its own. */
    uva_reader_t *reader = reader_with(0);
    uva_bytes_t line;
    char text[32];

    for (int i = 0; i < 10000; i++) {
        int size = snprintf(text, sizeof text, "line %d\n", i);
        ck_assert_int_eq(uva_reader_feed_data(reader, text, (size_t)size), 0);
        if (i % 7 == 6) {
            for (int j = i - 6; j <= i; j++) {
                size = snprintf(text, sizeof text, "line %d\n", j);
                ck_assert_int_eq(uva_reader_readline_view(reader, &line), size);
                ck_bytes(line, text);
            }
        }
    }
    uva_reader_unref(reader);
}

/* --- without memory --- */

static int make_reader(uva_reader_t **ret_reader)
{
    return uva_reader_new(0, ret_reader);
}

static int feed_again(uva_reader_t *reader)
{
    return uva_reader_feed_data(reader, DATA, strlen(DATA));
}

static int line_again(uva_reader_t *reader, uva_buffer_t *ret_line)
{
    int r = uva_reader_readline(reader, ret_line);

    if (r < 0) {
        ck_left(reader, DATA);
    }
    return r;
}

UVA_TEST_STRICT(oom)
{
    uva_reader_t *reader = NULL;
    uva_buffer_t buffer;

    UVA_OOM_TEST(make_reader(&reader));
    UVA_OOM_TEST(feed_again(reader));
    ck_left(reader, DATA);
    UVA_OOM_TEST(line_again(reader, &buffer));
    ck_assert_str_eq((char *)buffer.data, "line1\n");
    uva_buffer_clear(&buffer);
    UVA_OOM_TEST(uva_reader_readuntil(reader, UVA_BYTES("3"), &buffer));
    uva_buffer_clear(&buffer);
    uva_reader_feed_eof(reader);
    UVA_OOM_TEST(uva_reader_read_all(reader, UVA_NO_LIMIT, &buffer));
    ck_assert_str_eq((char *)buffer.data, "\n");
    uva_buffer_clear(&buffer);
    uva_reader_unref(reader);
}

UVA_TEST_STRICT(oom_after_cancel)
{
    /* Bytes that cannot be put back are lost; nothing behind them is read. */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READEXACTLY, .reader = reader, .size = 30};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, "some");
    uva_task_cancel(UVA_ERASE(task));
    uva_testing_fail_allocation(1, false);
    UVA_TICK();
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    feed(reader, "more");
    ck_assert_int_eq(uva_reader_exception(reader), UV_ENOMEM);
    asked.r = 0;
    ck_assert_int_eq(await(&asked), UV_ENOMEM);
    uva_reader_unref(reader);
}

int main(void)
{
    Suite *suite = suite_create("reader");
    TCase *read = UVA_TCASE(suite, "Read");
    TCase *view = UVA_TCASE(suite, "View");
    TCase *failure = UVA_TCASE(suite, "Failure");

    KIND_ADD_TABLE(read, read_by_steps, reads);
    KIND_ADD_TESTS(read, read_all_large, readuntil_separator,
                   readuntil_multi_chunks_1);
    UVA_ADD_TESTS(read, invalid_limit);

    UVA_ADD_TESTS(view, view_stays);
    KIND_ADD_TESTS(view, view_of_nothing_left_holds_no_memory);
    UVA_ADD_TESTS(view, many_lines);

    KIND_ADD_TESTS(
        failure, exception_waiter, exception_cancel, cancel_leaves_data,
        second_reader, second_reader_takes_what_is_there,
        second_reader_takes_what_was_searched, second_reader_overruns,
        second_reader_comes_before_the_first_goes_on);
    UVA_ADD_TESTS(failure, no_task, no_loop, oom, oom_after_cancel);
    return uva_test_main(suite);
}
