"""What can be asked of points, and told to it."""

import strawberry

from services.points.graph.adjustments import AdjustmentMutation, AdjustmentQuery
from services.points.graph.forecasts import ForecastQuery
from services.points.graph.holds import HoldQuery
from services.points.graph.ledger import LedgerQuery
from services.points.graph.opening import OpeningMutation
from services.points.graph.orders import OrderMutation
from services.points.graph.programs import ProgramMutation, ProgramQuery
from services.points.graph.purchases import PurchaseMutation
from services.points.graph.receipts import ReceiptQuery
from services.points.graph.reconciling import ReconcilingQuery
from services.points.graph.refunds import RefundMutation, RefundQuery
from services.points.graph.sales import SalesQuery
from services.points.graph.spending import HoldMutation
from services.points.graph.tiers import TierMutation


@strawberry.type
class Query(
    ReceiptQuery,
    RefundQuery,
    ReconcilingQuery,
    HoldQuery,
    AdjustmentQuery,
    LedgerQuery,
    ProgramQuery,
    SalesQuery,
    ForecastQuery,
):
    """All that can be asked."""


@strawberry.type
class Mutation(
    PurchaseMutation,
    OrderMutation,
    TierMutation,
    RefundMutation,
    HoldMutation,
    AdjustmentMutation,
    OpeningMutation,
    ProgramMutation,
):
    """All that can be told."""
