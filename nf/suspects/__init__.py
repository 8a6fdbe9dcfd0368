"""Suspects as black boxes: opened, isolated, asked, and their answers checked. Imports without torch."""

from nf.suspects.answers import check_answers
from nf.suspects.counting import CountingPredictor
from nf.suspects.csv import CsvSuspect
from nf.suspects.defended import DEFENCES, DefendedSuspect
from nf.suspects.examine import Examination, Examined, examine
from nf.suspects.http import HttpSuspect
from nf.suspects.interface import Interface, Kind, output_of, parse_input, parse_size, state_interface
from nf.suspects.isolated import IsolatedSuspect
from nf.suspects.labelling import images_to_ask, write_labelling_page
from nf.suspects.onnx import OnnxSuspect
from nf.suspects.open import is_address, is_served, open_suspect
from nf.suspects.query import ask
from nf.suspects.served import ServedSuspect

__all__ = [
    "DEFENCES",
    "CountingPredictor",
    "CsvSuspect",
    "DefendedSuspect",
    "Examination",
    "Examined",
    "HttpSuspect",
    "Interface",
    "IsolatedSuspect",
    "Kind",
    "OnnxSuspect",
    "ServedSuspect",
    "ask",
    "check_answers",
    "examine",
    "images_to_ask",
    "is_address",
    "is_served",
    "open_suspect",
    "output_of",
    "parse_input",
    "parse_size",
    "state_interface",
    "write_labelling_page",
]
