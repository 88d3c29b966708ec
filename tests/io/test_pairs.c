/*
 * Pairs of protocols in memory, on virtual loops: each end in each state of a
 * connection, protocols and streams that take turns in the middle of a stream,
 * and each allocation that fails.
 */
#include "net.h"

#include <string.h>

#include "uva/connections.h"
#include "uva/protocols.h"

/* --- a protocol that counts --- */

/* When a side does something. The first ones are callbacks of the first side,
 * the others are states that the test brings about. */
typedef enum moment_e {
    AT_MADE,
    AT_DATA,
    AT_EOF,
    AT_PAUSE,
    AT_RESUME,
    AT_LOST,
    NOT_MADE,
    IDLE,
    READING_PAUSED, /* With bytes that wait to be received. */
    BLOCKED,        /* With bytes that the peer does not receive. */
    HALF_CLOSED,    /* It has sent its end of stream. */
    HALF_HEARD,     /* The peer has. */
    CLOSING,        /* With bytes that the peer does not receive. */
    LOST,           /* connection_lost is queued. */
    CLOSED,
    MOMENTS
} moment_t;

/* What is done then, and by which side. */
typedef enum end_e {
    CLOSE,
    ABORT,
    PEER_CLOSE,
    PEER_ABORT,
    BOTH_CLOSE,
    BOTH_ABORT,
    ENDS
} end_t;

typedef struct play_s play_t;

/* What one side has done and heard. */
typedef struct side_s {
    play_t *play;
    size_t sent;
    size_t got;
    int made;
    int lost;
    int eofs;
    int pauses;
    int resumes;
    int status;
    bool wrong;      /* A byte, or the order of calls. */
    bool stays_open; /* What eof_received says. */
    bool acts;       /* It is the first one. */
} side_t;

struct play_s {
    side_t sides[2];
    uva_transport_t *transports[2];
    moment_t moment;
    end_t end;
    bool done;
};

typedef struct counting_s {
    uva_protocol_t base;
} counting_t;

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 256);
}

static void play_end(play_t *play)
{
    uva_transport_t *first = play->transports[0];
    uva_transport_t *second = play->transports[1];

    play->done = true;
    if (play->end == CLOSE || play->end == BOTH_CLOSE) {
        uva_transport_close(first);
    }
    if (play->end == ABORT || play->end == BOTH_ABORT) {
        uva_transport_abort(first);
    }
    if (play->end == PEER_CLOSE || play->end == BOTH_CLOSE) {
        uva_transport_close(second);
    }
    if (play->end == PEER_ABORT || play->end == BOTH_ABORT) {
        uva_transport_abort(second);
    }
}

/* A callback: note whether it may come now, and act if it is the moment. */
static side_t *heard_now(uva_protocol_t *self, moment_t moment)
{
    side_t *side = self->arg;

    side->wrong = side->wrong || side->lost > 0 ||
                  (moment == AT_MADE) != (side->made == 0);
    side->made += moment == AT_MADE;
    side->lost += moment == AT_LOST;
    if (side->acts && side->play->moment == moment && !side->play->done) {
        play_end(side->play);
    }
    return side;
}

static int counting_made(uva_protocol_t *self)
{
    (void)heard_now(self, AT_MADE);
    return 0;
}

static int counting_data(uva_protocol_t *self, uva_bytes_t data)
{
    side_t *side = self->arg;

    for (size_t i = 0; i < data.size; i++, side->got++) {
        side->wrong = side->wrong || data.data[i] != byte_at(side->got);
    }
    (void)heard_now(self, AT_DATA);
    return 0;
}

static int counting_eof(uva_protocol_t *self)
{
    side_t *side = heard_now(self, AT_EOF);

    side->eofs++;
    return side->stays_open;
}

static void counting_pause(uva_protocol_t *self)
{
    side_t *side = heard_now(self, AT_PAUSE);

    side->pauses++;
}

static void counting_resume(uva_protocol_t *self)
{
    side_t *side = heard_now(self, AT_RESUME);

    side->resumes++;
}

static void counting_lost(uva_protocol_t *self, int status)
{
    side_t *side = heard_now(self, AT_LOST);

    side->status = status;
}

static const uva_protocol_ops_t counting_ops = {
    UVA_PROTOCOL_OPS(counting_t),     .connection_made = counting_made,
    .data_received = counting_data,   .eof_received = counting_eof,
    .pause_writing = counting_pause,  .resume_writing = counting_resume,
    .connection_lost = counting_lost,
};

/* --- playing --- */

static int play_open(play_t *play, size_t capacity)
{
    const uva_protocol_ops_t *const ops[2] = {&counting_ops, &counting_ops};
    void *const args[2] = {&play->sides[0], &play->sides[1]};

    for (int i = 0; i < 2; i++) {
        play->sides[i].play = play;
    }
    play->sides[0].acts = true;
    return uva_transport_pair(capacity, ops, args, play->transports);
}

/* Write more of a side's numbered bytes. */
static int play_write(play_t *play, int i, size_t size)
{
    static uint8_t bytes[300000];
    side_t *side = &play->sides[i];
    int r;

    for (size_t k = 0; k < size; k++) {
        bytes[k] = byte_at(side->sent + k);
    }
    r = uva_transport_write(play->transports[i], bytes, size);
    side->sent += r == 0 ? size : 0;
    return r;
}

static void play_turns(int turns)
{
    while (turns-- > 0) {
        UVA_TICK();
    }
}

#define MUCH 200000u /* Above the high mark. */

/* The peer reads nothing, and the first side has more than fits. */
static void play_block(play_t *play)
{
    uva_transport_pause_reading(play->transports[1]);
    ck_assert_int_eq(play_write(play, 0, MUCH), 0);
    play_turns(3);
}

/* Bring the first side into a state. */
static void play_reach(play_t *play)
{
    uva_transport_t *first = play->transports[0];
    uva_transport_t *second = play->transports[1];

    if (play->moment == NOT_MADE || play->moment == AT_MADE) {
        return;
    }
    UVA_TEST_UNTIL(play->sides[0].made > 0 && play->sides[1].made > 0);
    switch (play->moment) {
    case AT_DATA:
        ck_assert_int_eq(play_write(play, 1, 10), 0);
        break;
    case AT_EOF:
        ck_assert_int_eq(uva_transport_write_eof(second), 0);
        break;
    case AT_PAUSE:
    case AT_RESUME:
        ck_assert_int_eq(play_write(play, 0, MUCH), 0);
        break;
    case AT_LOST:
    case LOST:
        uva_transport_abort(first);
        break;
    case READING_PAUSED:
        uva_transport_pause_reading(first);
        ck_assert_int_eq(play_write(play, 1, 50), 0);
        play_turns(3);
        break;
    case BLOCKED:
        play_block(play);
        break;
    case HALF_CLOSED:
        play->sides[1].stays_open = true;
        ck_assert_int_eq(uva_transport_write_eof(first), 0);
        UVA_TEST_UNTIL(play->sides[1].eofs > 0);
        break;
    case HALF_HEARD:
        play->sides[0].stays_open = true;
        ck_assert_int_eq(uva_transport_write_eof(second), 0);
        UVA_TEST_UNTIL(play->sides[0].eofs > 0);
        break;
    case CLOSING:
        play_block(play);
        uva_transport_close(first);
        break;
    case CLOSED:
        uva_transport_abort(first);
        UVA_TEST_UNTIL(play->sides[0].lost > 0);
        break;
    default:
        break;
    }
}

static bool status_is(int status, bool may_fail)
{
    return status == 0 ||
           (may_fail && (status == UV_ECONNRESET || status == UV_EPIPE));
}

/* Both sides have ended: what must be true then. */
static void play_check(const play_t *play)
{
    const side_t *first = &play->sides[0];
    const side_t *second = &play->sides[1];
    bool closes = play->end == CLOSE &&
                  (play->moment <= AT_RESUME || play->moment == IDLE ||
                   play->moment == BLOCKED || play->moment == HALF_HEARD);

    for (int i = 0; i < 2; i++) {
        const side_t *side = &play->sides[i];
        ck_assert_int_eq(side->made, 1);
        ck_assert_int_eq(side->lost, 1);
        ck_assert(!side->wrong);
        ck_assert_int_le(side->eofs, 1);
        ck_assert_int_ge(side->pauses, side->resumes);
        ck_assert_int_le(side->pauses, side->resumes + 1);
        ck_assert_uint_le(side->got, play->sides[1 - i].sent);
        ck_assert(status_is(side->status, true));
    }
    if (play->end == CLOSE || play->end == ABORT) { /* By itself. */
        ck_assert(status_is(first->status, false));
    }
    if (closes) { /* All was sent before. */
        ck_assert_uint_eq(second->got, first->sent);
        ck_assert(status_is(second->status, second->sent > first->got));
    }
}

static void play_run(moment_t moment, end_t end, size_t capacity)
{
    play_t play = {.moment = moment, .end = end};

    ck_assert_int_eq(play_open(&play, capacity), 0);
    play_reach(&play);
    if (moment > AT_LOST) {
        play_end(&play);
    } else {
        UVA_TEST_UNTIL(play.done);
    }
    play_turns(5);
    for (int i = 0; i < 2; i++) { /* Who has paused goes on. */
        uva_transport_resume_reading(play.transports[i]);
    }
    UVA_TEST_UNTIL(play.sides[0].lost > 0 || play.sides[1].lost > 0);
    play_turns(20);
    for (int i = 0; i < 2; i++) {
        uva_transport_close(play.transports[i]);
    }
    UVA_TEST_UNTIL(play.sides[0].lost > 0 && play.sides[1].lost > 0);
    play_turns(3);
    play_check(&play);
    for (int i = 0; i < 2; i++) {
        ck_assert(uva_transport_is_closing(play.transports[i]));
        uva_transport_unref(play.transports[i]);
    }
}

UVA_TEST(each_end_in_each_state)
{
    static const size_t capacities[] = {1, 100, 0};

    for (int moment = 0; moment < MOMENTS; moment++) {
        for (int end = 0; end < ENDS; end++) {
            for (size_t i = 0; i < 3; i++) {
                if (capacities[i] != 1 || moment <= AT_EOF) {
                    play_run((moment_t)moment, (end_t)end, capacities[i]);
                }
            }
        }
    }
}

/* --- others take over --- */

#define STREAM 5000u

/* Read a few bytes as a stream. */
static void stream_part(play_t *play, size_t most)
{
    side_t *side = &play->sides[1];
    uva_reader_t *reader;
    uva_writer_t *writer;
    uint8_t bytes[64];
    int count;

    ck_assert_int_eq(uva_stream_on(play->transports[1], 0, &reader, &writer),
                     0);
    count = uva_reader_read(reader, bytes, most);
    ck_assert_int_gt(count, 0);
    for (int i = 0; i < count; i++, side->got++) {
        ck_assert_uint_eq(bytes[i], byte_at(side->got));
    }
    uva_reader_unref(reader);
    uva_writer_unref(writer);
}

/* Protocols, and streams in between, after each few turns: no byte is lost, and
 * none comes twice. */
static void take_turns(size_t capacity, int turns, bool paused)
{
    play_t play = {.moment = MOMENTS};
    side_t *side = &play.sides[1];
    counting_t next[2] = {
        {.base = {.ops = &counting_ops, .arg = side}},
        {.base = {.ops = &counting_ops, .arg = side}},
    };

    ck_assert_int_eq(play_open(&play, capacity), 0);
    UVA_TEST_UNTIL(play.sides[0].made > 0 && side->made > 0);
    ck_assert_int_eq(play_write(&play, 0, STREAM), 0);
    ck_assert_int_eq(uva_transport_write_eof(play.transports[0]), 0);
    for (int i = 0; side->got < STREAM; i++) {
        ck_assert_int_lt(i, 100000);
        if (paused) {
            uva_transport_pause_reading(play.transports[1]);
        }
        play_turns(turns);
        if (i % 3 == 0 && side->got < STREAM) {
            if (paused) {
                uva_transport_resume_reading(play.transports[1]);
            }
            stream_part(&play, (size_t)i % 64 + 1);
        }
        ck_assert_int_eq(
            uva_transport_set_protocol(play.transports[1], &next[i % 2].base),
            0);
        if (paused) {
            uva_transport_resume_reading(play.transports[1]);
            UVA_TICK();
        }
    }
    UVA_TEST_UNTIL(side->lost > 0); /* Its eof_received has closed it. */
    UVA_TEST_UNTIL(play.sides[0].lost > 0);
    ck_assert_uint_eq(side->got, STREAM);
    ck_assert(!side->wrong && !play.sides[0].wrong);
    ck_assert_int_eq(side->status, 0);
    uva_transport_unref(play.transports[0]);
    uva_transport_unref(play.transports[1]);
}

UVA_TEST(protocols_and_streams_in_turns)
{
    static const size_t capacities[] = {1, 7, 64, 1000, 0};

    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        for (int turns = 0; turns < 3; turns++) {
            take_turns(capacities[i], turns, false);
            take_turns(capacities[i], turns, true);
        }
    }
}

/* The other protocol comes when the first has been told to wait: it is told to
 * go on. */
UVA_TEST(protocol_while_writing_is_paused)
{
    play_t play = {.moment = MOMENTS};
    side_t late = {.play = &play, .made = 1};
    counting_t next = {.base = {.ops = &counting_ops, .arg = &late}};

    ck_assert_int_eq(play_open(&play, 100), 0);
    UVA_TEST_UNTIL(play.sides[0].made > 0 && play.sides[1].made > 0);
    play_block(&play);
    ck_assert_int_eq(play.sides[0].pauses, 1);
    ck_assert_int_eq(uva_transport_set_protocol(play.transports[0], &next.base),
                     0);
    uva_transport_resume_reading(play.transports[1]);
    UVA_TEST_UNTIL(late.resumes > 0);
    uva_transport_close(play.transports[0]);
    UVA_TEST_UNTIL(late.lost > 0 && play.sides[1].lost > 0);
    ck_assert_int_eq(play.sides[0].lost + play.sides[0].resumes, 0);
    ck_assert_uint_eq(play.sides[1].got, MUCH);
    uva_transport_unref(play.transports[0]);
    uva_transport_unref(play.transports[1]);
}

/* --- without memory --- */

/* Talk in both directions, change what stands there, close. @return UV_ENOMEM
 * if a call said so, or a side was lost with it. */
static int conversation(void)
{
    play_t play = {.moment = MOMENTS};
    counting_t next = {.base = {.ops = &counting_ops, .arg = &play.sides[1]}};
    uva_reader_t *reader;
    uva_writer_t *writer;
    int r = play_open(&play, 64);

    if (r < 0) {
        return r;
    }
    for (int i = 0; i < 2; i++) {
        int written = play_write(&play, i, 3000);
        r = written < 0 ? written : r;
    }
    UVA_TEST_UNTIL(play.sides[0].made > 0 && play.sides[1].made > 0);
    if (play.sides[1].lost == 0) {
        int set = uva_stream_on(play.transports[1], 0, &reader, &writer);
        if (set >= 0) {
            play_turns(3);
            uva_reader_unref(reader);
            uva_writer_unref(writer);
            set = uva_transport_set_protocol(play.transports[1], &next.base);
        }
        if (set < 0) { /* The reader may have lost bytes: it knows. */
            r = set == UV_EPERM ? r : set;
            uva_transport_abort(play.transports[1]);
        }
    }
    play_turns(200);
    for (int i = 0; i < 2; i++) {
        uva_transport_close(play.transports[i]);
    }
    play_turns(20);
    for (int i = 0; i < 2; i++) {
        uva_transport_abort(play.transports[i]);
    }
    play_turns(3);
    for (int i = 0; i < 2; i++) {
        ck_assert(!play.sides[i].wrong);
        r = play.sides[i].status == UV_ENOMEM ? UV_ENOMEM : r;
        uva_transport_unref(play.transports[i]);
    }
    ck_assert(r == 0 || r == UV_ENOMEM);
    if (r == 0) {
        ck_assert_uint_eq(play.sides[0].got, 3000);
        ck_assert_uint_eq(play.sides[1].got, 3000);
    }
    return r;
}

UVA_TEST_STRICT(conversation_without_memory)
{
    int failures = 0;

    /* The loop keeps what it needs for its first transport. */
    ck_assert_int_eq(conversation(), 0);
    for (uint64_t n = 1;; n++) {
        uint64_t before = uva_testing_allocations();
        size_t bytes = uva_allocated_bytes();
        bool hit;
        int r;
        uva_testing_fail_allocation(n, false);
        r = conversation();
        hit = uva_testing_allocations() - before >= n;
        uva_testing_fail_allocation(0, false);
        failures += r == UV_ENOMEM;
        ck_assert_uint_eq(uva_allocated_bytes(), bytes);
        if (!hit) {
            ck_assert_int_eq(r, 0);
            ck_assert_uint_gt(n, 10);
            break;
        }
    }
    ck_assert_int_gt(failures, 5);
}

int main(void)
{
    Suite *suite = suite_create("pairs");
    TCase *ends = UVA_TCASE(suite, "Ends");
    TCase *turns = UVA_TCASE(suite, "Turns");
    TCase *memory = UVA_TCASE(suite, "Memory");

    UVA_ADD_TESTS(ends, each_end_in_each_state);
    UVA_ADD_TESTS(turns, protocols_and_streams_in_turns,
                  protocol_while_writing_is_paused);
    UVA_ADD_TESTS(memory, conversation_without_memory);
    return uva_test_main(suite);
}
