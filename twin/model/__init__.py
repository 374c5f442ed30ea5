"""The static model of a park: what exists, where, how it connects and what is measured on it.

Pure data and functions of it. Reading a park folder is `twin.model.load`, the only door to files.
"""

from twin.model.errors import ModelError, ModelErrors
from twin.model.park import Asset, Binding, Kpi, Name, Park, Point, Relation
from twin.model.rules import Condition, RuleRow, TotalRow
from twin.model.types import AttributeDef, PropertyDef, TypeDef

__all__ = [
    "Asset",
    "AttributeDef",
    "Binding",
    "Condition",
    "Kpi",
    "ModelError",
    "ModelErrors",
    "Name",
    "Park",
    "Point",
    "PropertyDef",
    "Relation",
    "RuleRow",
    "TotalRow",
    "TypeDef",
]
