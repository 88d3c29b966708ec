# awk -v out=FOLDER -f programs.awk PAGE: each C program of a page, that is each
# block of C with a main, as FOLDER/<name>.c, and the block of text behind it,
# what it prints, as FOLDER/<name>.expected. The name is that of its section.
# Prints the names.

/^## / {
    name = tolower(substr($0, 4))
    gsub(/[^a-z0-9]+/, "_", name)
}
/^```/ {
    if (kind == "") {
        kind = substr($0, 4)
        block = ""
        next
    }
    if (kind == "c") {
        program = block ~ /\nint main\(/
        if (program) {
            printf "%s", block >(out "/" name ".c")
            print name
        }
    } else if (kind == "text" && program) {
        printf "%s", block >(out "/" name ".expected")
        program = 0
    }
    kind = ""
    next
}
kind != "" { block = block $0 "\n" }
