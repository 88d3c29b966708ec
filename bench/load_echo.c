/*
 * A load client for echo servers: a closed loop, one message outstanding on
 * each connection.
 *
 *     load_echo PORT|PATH [-c CONNECTIONS] [-s BYTES] [-t SECONDS | -n
 * REQUESTS]
 *               [-w WARM_UP_SECONDS] [-p SERVER_PID] [-i IDLE] [-L LABEL]
 *
 * The server's CPU time is that of all its threads, over the measured part. -n
 * stops after so many requests, for counting instructions. -i opens so many
 * more connections, sends a byte on each, and tells what each takes at the
 * server.
 */
#include <dirent.h>
#include <stdbool.h>
#include <sys/un.h>

#include "bench_net.h"

enum {
    EVENTS = 1024,
    SUB_BUCKETS = 64
};

typedef struct connection_s {
    int fd;
    bool writing; /* Waits for room. */
    size_t sent;
    size_t got;
    int64_t began;
} connection_t;

static struct {
    int port;
    int connections;
    int idle;
    size_t bytes;
    double seconds;
    double warm_up;
    int64_t requests;
    long pid;
    const char *label;
    const char *path; /* Of a unix socket; NULL for TCP. */
} options = {0, 1, 0, 1024, 1, 0.2, 0, 0, "", NULL};

static char *message;
static char buffer[262144];
static int epoll;
static bool measuring;
static int64_t started; /* Requests sent. */
static int64_t done;    /* Answers, of the measured part. */
static int64_t longest_ns;
static int64_t histogram[64 * SUB_BUCKETS];

/* --- latency: 64 buckets for each power of two --- */

static void note(int64_t ns)
{
    int power;

    ns = ns < SUB_BUCKETS ? SUB_BUCKETS : ns;
    longest_ns = ns > longest_ns ? ns : longest_ns;
    power = 63 - __builtin_clzll((unsigned long long)ns);
    histogram[(power - 6) * SUB_BUCKETS + ((ns >> (power - 6)) & 63)]++;
}

static double percentile_us(double part)
{
    int64_t total = 0;
    int64_t sum = 0;

    for (int i = 0; i < 64 * SUB_BUCKETS; i++) {
        total += histogram[i];
    }
    for (int i = 0; i < 64 * SUB_BUCKETS; i++) {
        sum += histogram[i];
        if (sum > 0 && sum >= (int64_t)((double)total * part)) {
            int64_t mantissa = SUB_BUCKETS + i % SUB_BUCKETS;
            return (double)(mantissa << (i / SUB_BUCKETS)) / 1e3;
        }
    }
    return 0;
}

/* --- the server, from the outside --- */

static int64_t server_cpu(void)
{
    char folder[64];
    int64_t sum = 0;
    const struct dirent *entry;
    DIR *threads;

    snprintf(folder, sizeof folder, "/proc/%ld/task", options.pid);
    threads = options.pid > 0 ? opendir(folder) : NULL;
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        char path[400];
        long long ns;
        FILE *file;
        snprintf(path, sizeof path, "%s/%s/schedstat", folder, entry->d_name);
        file = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (file != NULL) {
            sum += fscanf(file, "%lld", &ns) == 1 ? ns : 0;
            fclose(file);
        }
    }
    if (threads != NULL) {
        closedir(threads);
    }
    return sum;
}

static int64_t server_rss(void)
{
    char path[64];
    long total;
    long resident = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/statm", options.pid);
    file = options.pid > 0 ? fopen(path, "r") : NULL;
    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &total, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

/* --- connections --- */

static void nap(int64_t ns)
{
    struct timespec time = {ns / 1000000000, ns % 1000000000};

    nanosleep(&time, NULL);
}

static int dial_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s",
                   options.path);
    while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EAGAIN) { /* The backlog is full. */
            bench_die("connect");
        }
        nap(1000000);
    }
    return fd;
}

static int dial(void)
{
    struct sockaddr_in address = bench_loopback(options.port);
    int one = 1;
    int fd;

    if (options.path != NULL) {
        return dial_unix();
    }
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        bench_die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void watch(connection_t *connection, int how)
{
    struct epoll_event event;

    event.events = connection->writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = connection;
    epoll_ctl(epoll, how, connection->fd, &event);
}

static void pump(connection_t *connection)
{
    bool was_writing = connection->writing;

    connection->writing = false;
    while (connection->sent < options.bytes) {
        ssize_t sent =
            send(connection->fd, message + connection->sent,
                 options.bytes - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) {
                bench_die("send");
            }
            connection->writing = true;
            break;
        }
        connection->sent += (size_t)sent;
    }
    if (connection->writing != was_writing) {
        watch(connection, EPOLL_CTL_MOD);
    }
}

static void begin_request(connection_t *connection)
{
    if (options.requests > 0 && started == options.requests) {
        return;
    }
    started++;
    connection->sent = 0;
    connection->got = 0;
    connection->began = bench_wall();
    pump(connection);
}

static void receive(connection_t *connection)
{
    ssize_t size = recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);

    if (size < 0 && errno == EAGAIN) {
        return;
    }
    if (size <= 0) {
        fputs("load_echo: the server hung up\n", stderr);
        exit(1);
    }
    connection->got += (size_t)size;
    if (connection->got == options.bytes) {
        if (measuring) {
            note(bench_wall() - connection->began);
            done++;
        }
        begin_request(connection);
    }
}

/* --- the run --- */

typedef struct span_s {
    bench_mark_t begin;
    int64_t server_begin_ns;
    int64_t wall_ns;
    int64_t cpu_ns;
    int64_t server_ns;
} span_t;

static void measure_from_here(span_t *span)
{
    measuring = true;
    done = 0;
    span->begin = bench_begin();
    span->server_begin_ns = server_cpu();
}

static void run(span_t *span)
{
    static struct epoll_event events[EVENTS];
    int64_t from = bench_wall() + (int64_t)(options.warm_up * 1e9);
    int64_t to = from + (int64_t)(options.seconds * 1e9);

    if (options.requests > 0) {
        from = 0;
        to = INT64_MAX;
        measure_from_here(span);
    }
    while (options.requests == 0 || done < options.requests) {
        int count = epoll_wait(epoll, events, EVENTS, 1000);
        int64_t now = bench_wall();
        if (!measuring && now >= from) {
            measure_from_here(span);
        }
        if (now >= to) {
            break;
        }
        for (int i = 0; i < count; i++) {
            connection_t *connection = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0) {
                pump(connection);
            }
            if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) {
                receive(connection);
            }
        }
    }
    span->server_ns = server_cpu() - span->server_begin_ns;
    span->cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - span->begin.cpu_ns;
    span->wall_ns = bench_wall() - span->begin.wall_ns;
}

/* Connections that say one byte and then nothing. @return Bytes of each. */
static double open_idle(void)
{
    int64_t before;

    close(dial());
    nap(50000000);
    before = server_rss();
    for (int i = 0; i < options.idle; i++) {
        char byte = 'i';
        int fd = dial();
        if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) {
            bench_die("echo of a byte");
        }
    }
    nap(200000000);
    return options.idle > 0
               ? (double)(server_rss() - before) / (double)options.idle
               : 0;
}

static void report(const span_t *span, double idle_bytes)
{
    double requests = done > 0 ? (double)done : 1;

    printf("{\"bench\":\"echo%zu\",\"peer\":\"%s\",\"n\":%" PRId64
           ",\"conns\":%d,\"rps\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"max_us\":%.1f,\"cpu_ns\":%.1f,\"client_ns\":%.1f",
           options.bytes, options.label, done, options.connections,
           requests / (double)span->wall_ns * 1e9, percentile_us(0.5),
           percentile_us(0.99), (double)longest_ns / 1e3,
           (double)span->server_ns / requests, (double)span->cpu_ns / requests);
    if (options.idle > 0) {
        printf(",\"idle\":%d,\"rss_per\":%.1f", options.idle, idle_bytes);
    }
    puts("}");
}

static void usage(void)
{
    fputs("load_echo PORT [-c CONNECTIONS] [-s BYTES] [-t SECONDS | "
          "-n REQUESTS]\n"
          "          [-w WARM_UP_SECONDS] [-p SERVER_PID] [-i IDLE] "
          "[-L LABEL]\n",
          stderr);
    exit(2);
}

static void parse(int argc, char **argv)
{
    if (argc > 1 && strchr(argv[1], '/') != NULL) {
        options.path = argv[1];
    } else {
        options.port = (int)bench_arg(argc, argv, 1, 0);
    }
    for (int i = 2; i < argc; i += 2) {
        int option = argv[i][0] == '-' && argv[i][1] != '\0' ? argv[i][1] : '?';
        double number;

        if (i + 1 == argc) {
            usage();
        }
        number = option == 'L' ? 0 : bench_number(argv[i + 1]);
        switch (option) {
        case 'c':
            options.connections = (int)number;
            break;
        case 's':
            options.bytes = (size_t)number;
            break;
        case 't':
            options.seconds = number;
            break;
        case 'n':
            options.requests = (int64_t)number;
            break;
        case 'w':
            options.warm_up = number;
            break;
        case 'p':
            options.pid = (long)number;
            break;
        case 'i':
            options.idle = (int)number;
            break;
        case 'L':
            options.label = argv[i + 1];
            break;
        default:
            usage();
        }
    }
    if (argc < 2 || options.connections < 1 || options.bytes < 1) {
        usage();
    }
}

int main(int argc, char **argv)
{
    connection_t *connections;
    double idle_bytes;
    span_t span = {{0, 0}, 0, 0, 0, 0};

    parse(argc, argv);
    message = malloc(options.bytes);
    memset(message, 'x', options.bytes);
    epoll = epoll_create1(0);
    idle_bytes = options.idle > 0 ? open_idle() : 0;
    connections = calloc((size_t)options.connections, sizeof *connections);
    for (int i = 0; i < options.connections; i++) {
        connections[i].fd = dial();
        watch(&connections[i], EPOLL_CTL_ADD);
    }
    for (int i = 0; i < options.connections; i++) {
        begin_request(&connections[i]);
    }
    run(&span);
    report(&span, idle_bytes);
    return 0;
}
