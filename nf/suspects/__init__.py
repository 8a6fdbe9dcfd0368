"""Suspects as black boxes: opened, isolated, asked, and their answers checked. Imports without torch."""

from nf.core.interface import Interface, Kind, output_of, parse_input, parse_size, state_interface
from nf.suspects.answers import check_answers
from nf.suspects.counting import CountingPredictor
from nf.suspects.csv import CsvSuspect
from nf.suspects.defended import DEFENCES, DefendedSuspect
from nf.suspects.examine import Examination, Examined, Searchable, examine
from nf.suspects.folder import holds_suspects, suspects_in
from nf.suspects.http import HttpSuspect
from nf.suspects.interpret import Raw, choose, interpret
from nf.suspects.isolated import IsolatedSuspect
from nf.suspects.labelling import images_to_ask, write_labelling_page
from nf.suspects.manners import Asked
from nf.suspects.network import Network
from nf.suspects.networks import open_network
from nf.suspects.onnx import OnnxSuspect
from nf.suspects.open import is_address, is_served, is_table, open_suspect
from nf.suspects.probe import Found
from nf.suspects.query import ask
from nf.suspects.served import ServedSuspect
from nf.suspects.signature import Port, Signature

__all__ = [
    "DEFENCES",
    "Asked",
    "CountingPredictor",
    "CsvSuspect",
    "DefendedSuspect",
    "Examination",
    "Examined",
    "Found",
    "HttpSuspect",
    "Interface",
    "IsolatedSuspect",
    "Kind",
    "Network",
    "OnnxSuspect",
    "Port",
    "Raw",
    "Searchable",
    "ServedSuspect",
    "Signature",
    "ask",
    "check_answers",
    "choose",
    "examine",
    "holds_suspects",
    "images_to_ask",
    "interpret",
    "is_address",
    "is_served",
    "is_table",
    "open_network",
    "open_suspect",
    "output_of",
    "parse_input",
    "parse_size",
    "state_interface",
    "suspects_in",
    "write_labelling_page",
]
