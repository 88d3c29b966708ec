/*
 * What the two ends of each connection sent and got.
 */
#include "sockets.h"

#include <stdlib.h>

static side_t *sides;
static bool all_spoiled; /* Those to come too. */

side_t *side_new(bool is_client, uint16_t client_port, uint16_t server_port)
{
    side_t *side = calloc(1, sizeof *side);

    STRESS_CHECK(side != NULL, "the stress program itself has no memory");
    side->is_client = is_client;
    if (client_port != 0 && server_port != 0) {
        side->ports = (uint32_t)client_port << 16 | server_port;
    }
    side->salt = (uint8_t)stress_below(256);
    side->untold = all_spoiled;
    side->next = sides;
    sides = side;
    return side;
}

void sides_spoil(void)
{
    for (side_t *side = sides; side != NULL; side = side->next) {
        side->untold = true;
    }
}

void sides_spoil_all(void)
{
    all_spoiled = true;
    sides_spoil();
}

void sides_free(void)
{
    all_spoiled = false;
    while (sides != NULL) {
        side_t *side = sides;
        sides = side->next;
        free(side);
    }
}

uint8_t side_byte(uint8_t salt, size_t position)
{
    return (uint8_t)(salt + position * 7 + (position >> 8) * 3);
}

void side_fill(const side_t *side, uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        data[i] = side_byte(side->salt, side->sent + i);
    }
}

void side_look(const side_t *side,
               size_t from,
               const uint8_t *data,
               size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t expected = side_byte(side->their_salt, from + i);
        STRESS_CHECK(data[i] == expected,
                     "byte %zu of a stream is %u and should be %u", from + i,
                     data[i], expected);
    }
}

void side_got(side_t *side, const uint8_t *data, size_t size)
{
    const side_t *other = side_other(side);

    if (size == 0) {
        return;
    }
    if (side->got == 0) {
        side->their_salt = data[0];
        STRESS_CHECK(other == NULL || other->salt == data[0],
                     "a stream begins with byte %u and should with %u", data[0],
                     other->salt);
    }
    side_look(side, side->got, data, size);
    side->got += size;
    STRESS_CHECK(other == NULL || side->got <= other->sent,
                 "%zu bytes came of %zu that were sent", side->got,
                 other->sent);
}

side_t *side_other(const side_t *side)
{
    for (side_t *other = sides; other != NULL && side->ports != 0;
         other = other->next) {
        if (other->ports == side->ports &&
            other->is_client != side->is_client) {
            return other;
        }
    }
    return NULL;
}

void side_ended(const side_t *side)
{
    const side_t *other = side_other(side);

    STRESS_CHECK(other == NULL || other->untold || side->got == other->sent,
                 "the %zu bytes of a %s end after %zu in a %s", other->sent,
                 other->is_stream ? "stream" : "socket", side->got,
                 side->is_stream ? "stream" : "socket");
}

void side_lost(const side_t *side)
{
    const side_t *other = side_other(side);

    /* A side that sends may hear of it first, and loses what was not read. */
    STRESS_CHECK(other == NULL || !other->reset || side->sent > 0 ||
                     side->got >= other->arrived,
                 "%zu bytes came before a reset, and %zu were read",
                 other->arrived, side->got);
}
