"""Mutations: lines of product code broken on purpose, which the tests must notice."""
