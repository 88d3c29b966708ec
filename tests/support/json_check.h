/*
 * Enough of a JSON reader to check what a program of ours prints: whether it is
 * JSON at all, and what stands at a path such as "pages.0.status".
 */
#ifndef TEST_JSON_CHECK_H
#define TEST_JSON_CHECK_H

#include <stdbool.h>

/** Whether text is one JSON value and nothing more. */
bool json_is_valid(const char *text);

/** The value at a path, as it stands there; "" is the whole. NULL if there is
 * none. Borrowed until the next call but three. */
const char *json_value(const char *text, const char *path);

/** The value as an integer; -1 if there is none or it is something else. */
long long json_integer(const char *text, const char *path);

/** How many elements the array, or members the object, has; -1 for others. */
int json_count(const char *text, const char *path);

#endif /* TEST_JSON_CHECK_H */
