/*
 * uva_conform [--stackless|--mixed] FILE|-: run programs of the conformance
 * language (README.md) on uva. A program prints its trace; a corpus is
 * compared with what CPython printed.
 */
#include "uva_conform.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: uva_conform [--stackless|--mixed] FILE|-\n"
    "\n"
    "FILE is a program, whose trace is printed, or a corpus, which is\n"
    "compared with the traces in it; - is standard input. --stackless runs\n"
    "every task as a stackless coroutine, --mixed every other one.\n"
    "\n"
    "Exit status: 0, 1 if a trace differs, 2 for misuse.\n";

int main(int argc, char **argv)
{
    kind_t kind = KIND_STACKFUL;
    const char *name;
    FILE *file;
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--stackless") == 0) {
        kind = KIND_STACKLESS;
    } else if (argc > 1 && strcmp(argv[1], "--mixed") == 0) {
        kind = KIND_MIXED;
    }
    name = argc == (kind == KIND_STACKFUL ? 2 : 3) ? argv[argc - 1] : "--";
    if (name[0] == '-' && name[1] != '\0') {
        fputs(usage, stderr);
        return 2;
    }
    /* What programs do on purpose is no news. */
    uva_set_log(NULL, NULL);
    if (strcmp(name, "-") == 0) {
        return corpus_run(stdin, "standard input", kind);
    }
    file = fopen(name, "r");
    if (file == NULL) {
        refuse("cannot open %s", name);
        return 2;
    }
    status = corpus_run(file, name, kind);
    (void)fclose(file);
    return status;
}
