/*
 * A recursive descent over RFC 8259. Each function takes the text at its value
 * and gives what is behind it, or NULL where it is no JSON.
 */
#include "json_check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_value(const char *text);

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

static const char *skip_string(const char *text)
{
    if (*text++ != '"') {
        return NULL;
    }
    while (*text != '"') {
        if ((unsigned char)*text < 0x20) {
            return NULL;
        }
        if (*text == '\\') {
            text++;
            if (*text == 'u') {
                if (strspn(text + 1, "0123456789abcdefABCDEF") < 4) {
                    return NULL;
                }
                text += 4;
            } else if (*text == '\0' || strchr("\"\\/bfnrt", *text) == NULL) {
                return NULL;
            }
        }
        text++;
    }
    return text + 1;
}

static const char *skip_digits(const char *text)
{
    size_t size = strspn(text, "0123456789");

    return size > 0 ? text + size : NULL;
}

static const char *skip_number(const char *text)
{
    const char *digits = text + (*text == '-');

    text = skip_digits(digits);
    if (text == NULL || (*digits == '0' && text > digits + 1)) {
        return NULL;
    }
    if (*text == '.') {
        text = skip_digits(text + 1);
    }
    if (text != NULL && (*text == 'e' || *text == 'E')) {
        text++;
        text = skip_digits(text + (*text == '+' || *text == '-'));
    }
    return text;
}

/* A member's key and colon, in an object. */
static const char *skip_key(const char *text)
{
    text = skip_string(text);
    if (text == NULL) {
        return NULL;
    }
    text = skip_space(text);
    return *text == ':' ? skip_space(text + 1) : NULL;
}

/* To the next value of an array or object, from behind its bracket (first) or
 * behind the value before. NULL: there is none; *ret_end is then behind the
 * closing bracket, NULL if it is no JSON. */
static const char *
next_value(const char *text, bool first, bool is_object, const char **ret_end)
{
    *ret_end = NULL;
    text = skip_space(text);
    if (*text == (is_object ? '}' : ']')) {
        *ret_end = text + 1;
        return NULL;
    }
    if (!first) {
        if (*text != ',') {
            return NULL;
        }
        text = skip_space(text + 1);
    }
    return is_object ? skip_key(text) : text;
}

static const char *skip_container(const char *text)
{
    bool is_object = *text == '{';
    bool first = true;
    const char *end;
    const char *value = next_value(text + 1, true, is_object, &end);

    while (value != NULL) {
        text = skip_value(value);
        if (text == NULL) {
            return NULL;
        }
        first = false;
        value = next_value(text, first, is_object, &end);
    }
    return end;
}

static const char *skip_value(const char *text)
{
    static const char *const words[] = {"null", "true", "false"};

    if (*text == '{' || *text == '[') {
        return skip_container(text);
    }
    if (*text == '"') {
        return skip_string(text);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncmp(text, words[i], strlen(words[i])) == 0) {
            return text + strlen(words[i]);
        }
    }
    return skip_number(text);
}

bool json_is_valid(const char *text)
{
    text = skip_value(skip_space(text));
    return text != NULL && *skip_space(text) == '\0';
}

/* Whether the key whose value is at value is name. */
static bool key_is(const char *key, const char *name, size_t size)
{
    key = strchr(key, '"');
    return key != NULL && strncmp(key + 1, name, size) == 0 &&
           key[1 + size] == '"';
}

/* The element or member that a part of a path names. */
static const char *find_child(const char *text, const char *name, size_t size)
{
    bool is_object = *text == '{';
    size_t index = (size_t)strtoul(name, NULL, 10);
    const char *end;
    const char *before = text + 1;
    const char *value = next_value(before, true, is_object, &end);

    for (size_t i = 0; value != NULL; i++) {
        if (is_object ? key_is(before, name, size) : i == index) {
            return value;
        }
        before = skip_value(value);
        value =
            before != NULL ? next_value(before, false, is_object, &end) : NULL;
    }
    return NULL;
}

static const char *find(const char *text, const char *path)
{
    text = skip_space(text);
    while (*path != '\0' && text != NULL) {
        size_t size = strcspn(path, ".");

        if (*text != '{' && *text != '[') {
            return NULL;
        }
        text = find_child(text, path, size);
        path += size + (path[size] == '.');
    }
    return text;
}

const char *json_value(const char *text, const char *path)
{
    static char values[4][1024];
    static size_t turn;
    const char *begin = find(text, path);
    const char *end = begin != NULL ? skip_value(begin) : NULL;
    char *value = values[turn++ % 4];
    size_t size;

    if (end == NULL) {
        return NULL;
    }
    size = (size_t)(end - begin);
    if (size > sizeof values[0] - 1) {
        size = sizeof values[0] - 1;
    }
    memcpy(value, begin, size);
    value[size] = '\0';
    return value;
}

long long json_integer(const char *text, const char *path)
{
    const char *value = json_value(text, path);
    char *end;
    long long number;

    if (value == NULL) {
        return -1;
    }
    number = strtoll(value, &end, 10);
    return *end == '\0' ? number : -1;
}

int json_count(const char *text, const char *path)
{
    const char *value = find(text, path);
    const char *end;
    bool is_object;
    int count = 0;

    if (value == NULL || (*value != '{' && *value != '[')) {
        return -1;
    }
    is_object = *value == '{';
    value = next_value(value + 1, true, is_object, &end);
    while (value != NULL) {
        count++;
        value = skip_value(value);
        value =
            value != NULL ? next_value(value, false, is_object, &end) : NULL;
    }
    return count;
}
