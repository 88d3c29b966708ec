/*
 * The log hook. Its default writes warnings and errors to standard error.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include <uv.h>

#include "base/descriptors.h"
#include "base/format.h"

#define LOG_RECORD_BYTES 1001u

static void log_default(uva_log_level_t level, const char *text, void *data);

static uv_once_t log_once = UV_ONCE_INIT;
static uv_mutex_t log_mutex;
static uva_log_cb log_hook = log_default;
static void *log_data;

static void log_default(uva_log_level_t level, const char *text, void *data)
{
    (void)data;
    if (level >= UVA_LOG_WARNING && uva__has_stderr()) {
        fprintf(stderr, "uva: %s\n", text);
    }
}

static void log_start(void)
{
    /* Without its mutex the hook is read unlocked, as with one thread. */
    (void)uv_mutex_init(&log_mutex);
}

void uva_set_log(uva_log_cb log, void *data)
{
    uv_once(&log_once, log_start);
    uv_mutex_lock(&log_mutex);
    log_hook = log;
    log_data = data;
    uv_mutex_unlock(&log_mutex);
}

void uva__log(uva_log_level_t level, const char *format, ...)
{
    char text[LOG_RECORD_BYTES];
    uva_log_cb hook;
    void *data;
    va_list list;

    uv_once(&log_once, log_start);
    uv_mutex_lock(&log_mutex);
    hook = log_hook;
    data = log_data;
    uv_mutex_unlock(&log_mutex);
    if (hook == NULL) {
        return;
    }
    va_start(list, format);
    (void)uva__vformat(text, sizeof text, format, list);
    va_end(list);
    hook(level, text, data);
}
