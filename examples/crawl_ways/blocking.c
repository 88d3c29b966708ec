/*
 * One after another: each call waits until it is done. It is the shortest way
 * and the easiest to read, and the waits add up.
 */
#include "crawl.h"

int main(int argc, char **argv)
{
    int good_count = 0;

    for (int i = 0; i < PAGE_COUNT && argc == 2; i++) {
        good_count += page_fetch(i, argv[1]);
    }
    return crawl_status(good_count);
}
