/*
 * Runs a fuzzer without a fuzzing engine: each file named, and each file of a
 * folder named, is one input. An input that crashes fails the test.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    size_t size;
    struct stat info;

    if (file == NULL || fstat(fileno(file), &info) != 0) {
        perror(path);
        return 1;
    }
    data = malloc((size_t)info.st_size + 1);
    if (data == NULL) {
        fclose(file);
        return 1;
    }
    size = fread(data, 1, (size_t)info.st_size, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    char name[4096];
    int failed = 0;

    if (folder == NULL) {
        perror(path);
        return 1;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            failed |= replay_file(name);
        }
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        struct stat info;

        if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode)) {
            failed |= replay_folder(argv[i]);
        } else {
            failed |= replay_file(argv[i]);
        }
    }
    return failed;
}
