/*
 * The log hook. Its default writes warnings and errors to standard error.
 *
 * Invariant: no mutex is held while text is formatted or the hook runs. The
 * hook is code of the application: it may log, or replace itself.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include <uv.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/format.h"

#define LOG_RECORD_BYTES 1001u /* With the 0 behind the text. */
#define LOG_SECOND_NS    1000000000u

static void log_default(uva_log_level_t level, const char *text, void *data);

/* The mutex guards the hook with its data, so that both are read as a pair, and
 * the limits of all places. */
static uv_once_t log_once = UV_ONCE_INIT;
static uv_mutex_t log_mutex;
static uva_log_cb log_hook = log_default;
static void *log_data;

void uva__tell_user(const char *text)
{
    if (uva__has_stderr()) {
        fprintf(stderr, "uva: %s\n", text);
    }
}

/* The hook of a program that has set none. */
static void log_default(uva_log_level_t level, const char *text, void *data)
{
    (void)data;
    if (level >= UVA_LOG_WARNING) {
        uva__tell_user(text);
    }
}

static void log_start(void)
{
    /* A failure cannot be told anybody, and does not happen where mutexes are
     * plain memory. */
    (void)uv_mutex_init(&log_mutex);
}

/* A record that another thread writes meanwhile may still go to the old hook,
 * with the old data. */
void uva_set_log(uva_log_cb log, void *data)
{
    uv_once(&log_once, log_start);
    uv_mutex_lock(&log_mutex);
    log_hook = log;
    log_data = data;
    uv_mutex_unlock(&log_mutex);
}

/* Format one record and hand it to the hook. dropped: how many records of the
 * same place were not written before it; told behind the text, where there is
 * room. */
static void log_write(uva_log_level_t level,
                      unsigned dropped,
                      const char *format,
                      va_list list)
{
    char text[LOG_RECORD_BYTES];
    uva_log_cb hook;
    void *data;
    size_t size;

    uv_once(&log_once, log_start);
    uv_mutex_lock(&log_mutex);
    hook = log_hook;
    data = log_data;
    uv_mutex_unlock(&log_mutex);
    if (hook == NULL) {
        return;
    }
    size = uva__vformat(text, sizeof text, format, list);
    if (dropped > 0 && size < sizeof text) {
        (void)uva__format(text + size, sizeof text - size,
                          " (and %u before that were not written)", dropped);
    }
    hook(level, text, data);
}

void uva__log(uva_log_level_t level, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    log_write(level, 0, format, list);
    va_end(list);
}

/* The second begins with a record and not with the clock's: a place that writes
 * seldom is never cut short. */
bool uva__log_admits(uva__log_limit_t *limit,
                     uint64_t now_ns,
                     unsigned *ret_dropped)
{
    if (now_ns - limit->begin_ns >= LOG_SECOND_NS) {
        limit->begin_ns = now_ns;
        limit->count = 0;
    }
    if (limit->count == UVA__LOG_LIMIT) {
        limit->dropped++;
        return false;
    }
    limit->count++;
    *ret_dropped = limit->dropped;
    limit->dropped = 0;
    return true;
}

void uva__log_limited(uva__log_limit_t *limit,
                      uva_log_level_t level,
                      const char *format,
                      ...)
{
    unsigned dropped = 0;
    bool admitted;
    va_list list;

    /* Loops of several threads share the limit of a place in the code. */
    uv_once(&log_once, log_start);
    uv_mutex_lock(&log_mutex);
    admitted = uva__log_admits(limit, uva__clock_ns(), &dropped);
    uv_mutex_unlock(&log_mutex);
    if (admitted) {
        va_start(list, format);
        log_write(level, dropped, format, list);
        va_end(list);
    }
}
