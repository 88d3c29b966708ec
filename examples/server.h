/*
 * What the servers of this folder share: where they listen, the wait for
 * Ctrl-C, and the end.
 */
#ifndef EXAMPLES_SERVER_H
#define EXAMPLES_SERVER_H

#include <stdio.h>
#include <string.h>

#include <uva.h>

/* Where a server listens. */
typedef struct place_s {
    const char *port; /* On 127.0.0.1; "0" is one that the system chooses. */
    const char *path; /* Of a unix socket; NULL if it is the port. */
} place_t;

/* Take an option and its value out of the arguments. @return The value, or
 * otherwise: the option is not there, or has no value and stays. */
static inline const char *
take_option(int *argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i < *argc - 1; i++) {
        if (strcmp(argv[i], name) == 0) {
            const char *value = argv[i + 1];
            *argc -= 2;
            memmove(&argv[i], &argv[i + 2],
                    (size_t)(*argc - i) * sizeof argv[0]);
            return value;
        }
    }
    return otherwise;
}

/* Take "--port N" or "--unix PATH" out of the arguments. */
static inline place_t take_place(int *argc, char **argv)
{
    place_t place = {"0", take_option(argc, argv, "--unix", NULL)};

    if (place.path == NULL) {
        place.port = take_option(argc, argv, "--port", "0");
    }
    return place;
}

/* @return The status of a program whose arguments are wrong. */
static inline int usage(const char *program, const char *more)
{
    fprintf(stderr, "usage: %s [--port N | --unix PATH]%s\n", program, more);
    return 2;
}

/* Start a server whose connections are served by tasks of the function name. */
#define start_server_at(place, name, options, ret_server)                 \
    ((place).path != NULL                                                 \
         ? uva_start_unix_server(name, (place).path, options, ret_server) \
         : uva_start_server(name, "127.0.0.1", (place).port, options,     \
                            ret_server))

/* Tell where a server listens. @return 0 when Ctrl-C cancels this task. */
UVA_CORO static inline int wait_for_interrupt(const uva_server_t *server)
{
    uva_address_t address;

    int r = uva_server_get_sockname(server, 0, &address);
    if (r < 0) {
        return r;
    }
    if (address.family == UVA_FAMILY_UNIX) {
        printf("listening on %s\n", address.host);
    } else {
        printf("listening on %s:%u\n", address.host, (unsigned)address.port);
    }
    fflush(stdout); /* The line may go into a pipe. */
    r = uva_sleep(UVA_FOREVER);
    return r == UV_ECANCELED ? 0 : r;
}

/* Let connections end within a second, and abort the others. @return r, or the
 * code with which this failed. */
UVA_CORO static inline int end_server(uva_server_t *take_server, int r)
{
    int aborted = uva_server_shutdown(take_server, UVA_SEC(1));
    uva_server_unref(take_server);
    return r >= 0 && aborted < 0 ? aborted : r;
}

#endif /* EXAMPLES_SERVER_H */
