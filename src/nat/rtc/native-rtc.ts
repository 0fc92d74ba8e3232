/** The part of the WebRTC library that is used, so that everything above it runs without the library. */
export interface NativeRtc {
  readonly createConnection: (servers: readonly NativeIceServer[]) => NativeConnection;
}

/** Without a relay type it is a STUN server. */
export interface NativeIceServer {
  readonly hostname: string;
  readonly port: number;
  readonly relayType?: 'TurnUdp';
  readonly username?: string;
  readonly password?: string;
}

/** Callbacks come one by one in the main thread, but those of different kinds in any order. */
export interface NativeConnection {
  createDataChannel(label: string, options: NativeChannelOptions): NativeChannel;
  setRemoteDescription(sdp: string, type: 'offer' | 'answer'): void;
  addRemoteCandidate(candidate: string, mid: string): void;
  getSelectedCandidatePair(): { readonly local: NativeCandidate; readonly remote: NativeCandidate } | null;
  close(): void;
  onLocalDescription(listener: (sdp: string, type: string) => void): void;
  onLocalCandidate(listener: (candidate: string, mid: string) => void): void;
  onStateChange(listener: (state: string) => void): void;
  onDataChannel(listener: (channel: NativeChannel) => void): void;
}

export interface NativeChannelOptions {
  readonly protocol?: string;
  readonly negotiated?: boolean;
  readonly id?: number;
}

export interface NativeCandidate {
  readonly address: string;
  readonly port: number;
  readonly type: string;
}

export interface NativeChannel {
  /** Copies; the answer only says whether the message left at once. Throws when the channel is closed or not connected. */
  sendMessage(text: string): boolean;
  sendMessageBinary(bytes: Uint8Array): boolean;
  bufferedAmount(): number;
  setBufferedAmountLowThreshold(bytes: number): void;
  isOpen(): boolean;
  getProtocol(): string;
  close(): void;
  onOpen(listener: () => void): void;
  onClosed(listener: () => void): void;
  onError(listener: (message: string) => void): void;
  onBufferedAmountLow(listener: () => void): void;
  onMessage(listener: (message: string | Uint8Array | ArrayBuffer) => void): void;
}
