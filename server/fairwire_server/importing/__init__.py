"""Bringing a fair in: from files or from the demo's generator, through one importer (A1-A3, A8).

    lines        bytes of a file → numbered lines, whatever is in them
    csv_source, jsonl_source, sources    lines → rows of a known kind; a damaged header refuses the file
    fields, schema    a row's cells → checked values, by kind
    staging      checked values → records of the staging tables
    importer, writing, store, *.sql    staging tables → the fair's own, in set-based batches
    report, failures    what became of every row
    demo/        rows out of thin air

A row is read, checked and copied into a temporary table before anything of the fair is touched, so files may name each
other's rows in any order. Then each kind is written in batches of one transaction; a row that does not fit is put aside with
its reason and never stops the others.
"""
