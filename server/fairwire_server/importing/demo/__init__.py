"""A fair out of thin air: companies, people and wares that read like a real fair's and belong to nobody.

The generator yields rows and the importer takes them like a file's. What is made depends on the seed, the fair's code and a
row's number alone, so a larger demo contains the smaller one, and a second run finds everything unchanged.
"""
