/*
 * uva_conform [--stackless] FILE|-: run programs of the conformance language
 * (README.md) on uva. A program prints its trace; a corpus is compared with
 * what CPython printed.
 */
#include "uva_conform.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: uva_conform [--stackless] FILE|-\n"
    "\n"
    "FILE is a program, whose trace is printed, or a corpus, which is\n"
    "compared with the traces in it; - is standard input. --stackless runs\n"
    "every task as a stackless coroutine.\n"
    "\n"
    "Exit status: 0, 1 if a trace differs, 2 for misuse.\n";

int main(int argc, char **argv)
{
    bool stackless = argc > 1 && strcmp(argv[1], "--stackless") == 0;
    const char *name = argc == (stackless ? 3 : 2) ? argv[argc - 1] : NULL;
    FILE *file;
    int status;

    if (name != NULL && strcmp(name, "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (name == NULL || (name[0] == '-' && name[1] != '\0')) {
        fputs(usage, stderr);
        return 2;
    }
    /* What programs do on purpose is no news. */
    uva_set_log(NULL, NULL);
    if (strcmp(name, "-") == 0) {
        return corpus_run(stdin, "standard input", stackless);
    }
    file = fopen(name, "r");
    if (file == NULL) {
        refuse("cannot open %s", name);
        return 2;
    }
    status = corpus_run(file, name, stackless);
    (void)fclose(file);
    return status;
}
